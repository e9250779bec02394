"""Prints measures of drift as SciPy computes them: tests/reference/drift.json.

    pip install scipy==1.17.1 numpy==2.4.6 xxhash==4.1.0
    python tests/reference/drift.py > tests/reference/drift.json

Written from the documentation of `mainstay_data::diff` alone.
"""
import json
import numpy as np
import xxhash
from scipy import stats
from scipy.spatial import distance


def shares(counts):
    counts = np.asarray(counts, dtype=float)
    return counts / counts.sum()


def psi(a, b):
    """The sum of both relative entropies, every count raised by one half."""
    p, q = shares(np.add(a, 0.5)), shares(np.add(b, 0.5))
    return stats.entropy(p, q) + stats.entropy(q, p)


def of_counts(a, b):
    """What is measured of counts, those that are zero on both sides left out."""
    table = np.array([a, b])
    table = table[:, table.sum(axis=0) > 0]
    test = stats.chi2_contingency(table, correction=False)
    p, q = shares(table[0]), shares(table[1])
    return {
        "chi_square": {"statistic": test.statistic, "freedom": test.dof, "p_value": test.pvalue,
                       "cramers_v": stats.contingency.association(table, method="cramer")},
        "psi": psi(*table),
        "js": distance.jensenshannon(p, q, base=2) ** 2,
        "ks": distance.cityblock(p, q) / 2,
    }


def decile_bins(a, b):
    """Counts between the deciles of `a`: the least values up to which a tenth, two tenths ... lie."""
    a, b = np.sort(a), np.sort(b)
    edges = sorted({a[-(-i * len(a) // 10) - 1] for i in range(1, 10)})
    cut = lambda values: np.diff([0, *np.searchsorted(values, edges, side="right"), len(values)])
    bins = np.array([cut(a), cut(b)])
    return bins[:, bins.sum(axis=0) > 0]


def of_numbers(a, b):
    bins = decile_bins(a, b)
    return {
        "psi": psi(*bins),
        "js": distance.jensenshannon(*map(shares, bins), base=2) ** 2,
        "ks": stats.ks_2samp(a, b).statistic,
        "shift": stats.wasserstein_distance(a, b) / np.std(a),
    }


def missing(a, b):
    nulls = [sum(value is None for value in side) for side in (a, b)]
    if sum(nulls) in (0, len(a) + len(b)):
        return None
    table = [[n, len(side) - n] for n, side in zip(nulls, (a, b))]
    return stats.chi2_contingency(table, correction=False).pvalue


def case(name, kind, a, b):
    a, b = ([None if v is None else getattr(v, "item", lambda v=v: v)() for v in side] for side in (a, b))
    left, right = ([v for v in side if v is not None] for side in (a, b))
    values = sorted(set(left) | set(right))
    count = lambda side: [side.count(value) for value in values]
    if kind == "buckets":
        def count(side):
            where = [xxhash.xxh3_64_intdigest(value.encode()) % 64 for value in side]
            return np.bincount(where, minlength=64)
    expected = {} if kind == "floats" else of_counts(count(left), count(right))
    if kind in ("integers", "floats"):
        expected |= of_numbers(np.array(left), np.array(right))
    expected["missing_p_value"] = missing(a, b)
    return {"name": name, "kind": kind, "before": a, "after": b, "expected": expected}


def main():
    random = np.random.default_rng(5)
    letters = lambda n, p: [None if v == "-" else v for v in random.choice(list("abcde-"), n, p=p)]
    words = lambda n, base, size: [f"word {base + i}" for i in np.minimum(random.zipf(1.3, n), size)]
    cases = [
        case("counts of events", "integers", random.poisson(3, 400), random.poisson(4, 300)),
        case("dice", "integers", random.integers(1, 7, 250), random.integers(1, 7, 600)),
        case("a loaded die", "integers", random.integers(1, 7, 250), random.choice(6, 200, p=[.5, .1, .1, .1, .1, .1]) + 1),
        case("many integers", "integers", random.integers(0, 60, 900), random.integers(5, 60, 700)),
        case("most are zero", "integers", np.maximum(random.integers(-20, 9, 500), 0), random.integers(0, 9, 100)),
        case("letters", "texts", letters(300, [.3, .3, .2, .2, 0, 0]), letters(500, [.3, .2, .3, .2, 0, 0])),
        case("letters, some missing", "texts", letters(200, [.3, .3, .2, .1, .0, .1]), letters(220, [.3, .0, .3, .1, .1, .2])),
        case("measures", "floats", random.normal(0, 1, 500).round(3), random.normal(.3, 1.2, 400).round(3)),
        case("measures of one kind", "floats", random.normal(0, 1, 300).round(3), random.normal(0, 1, 350).round(3)),
        case("words", "buckets", words(600, 0, 400), words(500, 0, 400)),
        case("other words", "buckets", words(600, 0, 400), words(500, 150, 400)),
        case("many words, then few", "buckets", words(600, 0, 400), words(200, 0, 9)),
    ]
    lines = [json.dumps(each, separators=(",", ":")) for each in cases]
    print("[\n" + ",\n".join(lines) + "\n]")


main()
