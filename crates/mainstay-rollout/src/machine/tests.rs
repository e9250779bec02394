use mainstay_core::{ErrorKind, Timestamp};
use mainstay_experiment::{Guardrail, Outcomes, Verdict};
use proptest::prelude::*;

use super::*;
use crate::{Window, WindowOrigin};

fn spec(guardrails: Vec<GuardrailSpec>) -> RolloutSpec {
    RolloutSpec {
        baseline: Some("unit:support@1".parse().unwrap()),
        candidate: "unit:support@2".parse().unwrap(),
        steps: vec![1_000, 5_000],
        min_requests_per_step: 100,
        guardrails,
        salt: "salt".into(),
        supersedes: None,
    }
}

fn failures(on_fail: OnFail) -> GuardrailSpec {
    let test = Guardrail::failure_rate(0.05, 100).unwrap();
    GuardrailSpec::new("failures".parse().unwrap(), test, on_fail)
}

fn ratio() -> GuardrailSpec {
    let test = Guardrail::sample_ratio(0.001, 100).unwrap();
    GuardrailSpec::new("traffic".parse().unwrap(), test, OnFail::Hold)
}

fn standard() -> RolloutSpec {
    spec(vec![failures(OnFail::RollBack)])
}

fn window(control: (u64, u64), canary: (u64, u64)) -> Window {
    let outcomes = |(requests, failures)| Outcomes::new(requests, failures).unwrap();
    Window::new(outcomes(control), outcomes(canary), Timestamp::UNIX_EPOCH)
}

fn good() -> Window {
    window((900, 9), (100, 1))
}

fn run(spec: &RolloutSpec, state: &RolloutState, input: &Input) -> RolloutState {
    let events = spec.decide(state, input).unwrap();
    events.iter().fold(state.clone(), |state, event| {
        spec.evolve(state, event).unwrap()
    })
}

fn observe(spec: &RolloutSpec, state: &RolloutState, window: &Window) -> RolloutState {
    run(spec, state, &Input::Observe(window.clone()))
}

fn every_command() -> [Input; 5] {
    let why = || "why".to_owned();
    [
        Input::Pause { why: why() },
        Input::Resume { why: why() },
        Input::Promote { why: why() },
        Input::RollBack { why: why() },
        Input::Supersede {
            by: "rollout:prod@9".parse().unwrap(),
        },
    ]
}

#[test]
fn each_state_allows_just_these_commands() {
    let (spec, started) = (standard(), RolloutState::started());
    let [pause, resume, promote, roll_back, supersede] = every_command();
    let paused = run(&spec, &started, &pause);
    let completed = run(&spec, &started, &promote);
    let table = [
        (&started, vec![&pause, &promote, &roll_back, &supersede]),
        (&paused, vec![&resume, &roll_back, &supersede]),
        (&completed, vec![&roll_back]),
        (&run(&spec, &completed, &roll_back), vec![]),
        (&run(&spec, &started, &roll_back), vec![]),
        (&run(&spec, &started, &supersede), vec![]),
    ];
    for (state, allowed) in table {
        for command in &every_command() {
            match spec.decide(state, command) {
                Ok(events) => {
                    assert!(allowed.contains(&command), "{} {command:?}", state.phase);
                    assert_eq!(events.len(), 1);
                }
                Err(error) => {
                    assert!(!allowed.contains(&command), "{} {command:?}", state.phase);
                    assert_eq!(error.kind(), ErrorKind::Conflict);
                }
            }
        }
    }
}

#[test]
fn passing_windows_lead_through_every_step_to_completion() {
    let spec = standard();
    let first = observe(&spec, &RolloutState::started(), &good());
    assert_eq!((first.phase, first.step), (Phase::Running, 1));
    assert_eq!(spec.weights(&first).canary, 5_000);
    let second = observe(&spec, &first, &window((500, 5), (500, 5)));
    assert_eq!(second.phase, Phase::Completed);
    assert_eq!(spec.weights(&second).canary, 10_000);
}

#[test]
fn a_step_counts_its_own_requests_and_the_evidence_is_kept() {
    let spec = standard();
    let first = observe(&spec, &RolloutState::started(), &good());
    assert_eq!(first.step_requests, StepRequests::default());
    let held = observe(&spec, &first, &window((99, 0), (200, 0)));
    assert!(
        matches!(&held.last_event, Event::Held { why } if why.starts_with("99 of 100 requests")),
        "{}",
        held.last_event
    );
    assert_eq!(spec.guardrails(&held)[0].report.n, 300);
}

#[test]
fn a_failing_guardrail_rolls_back_and_the_reason_says_everything() {
    let spec = standard();
    let state = observe(
        &spec,
        &RolloutState::started(),
        &window((900, 9), (100, 20)),
    );
    assert_eq!(state.phase, Phase::RolledBack);
    let reason = state.last_event.to_string();
    for part in [
        "failures", "20/100", "20.00 %", "9/900", "1.00 %", "of 20.00", "at 10 %",
    ] {
        assert!(reason.contains(part), "{part} in {reason}");
    }
}

#[test]
fn nothing_but_data_makes_a_rollout_go_on() {
    let spec = standard();
    let mut state = RolloutState::started();
    for _ in 0..200 {
        state = observe(&spec, &state, &window((1_000, 3), (0, 0)));
        assert_eq!((state.phase, state.step), (Phase::Running, 0));
    }
    assert_eq!(spec.guardrails(&state)[0].report.verdict, Verdict::NoData);
    state = observe(&spec, &state, &window((1_000, 3), (99, 0)));
    assert_eq!(state.step, 0);
    assert_eq!(
        spec.guardrails(&state)[0].report.verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn a_paused_rollout_does_not_go_on_but_still_rolls_back() {
    let (spec, [pause, resume, ..]) = (standard(), every_command());
    let paused = run(&spec, &RolloutState::started(), &pause);
    let held = observe(&spec, &paused, &good());
    assert_eq!((held.phase, held.step), (Phase::Paused, 0));
    let resumed = run(&spec, &held, &resume);
    assert_eq!(observe(&spec, &resumed, &good()).step, 1);
    let bad = observe(&spec, &held, &window((900, 9), (100, 30)));
    assert_eq!(bad.phase, Phase::RolledBack);
}

#[test]
fn a_starved_canary_is_held_and_not_rolled_back() {
    let spec = spec(vec![failures(OnFail::RollBack), ratio()]);
    // A tenth of the 10 % it should get.
    let mut state = RolloutState::started();
    for _ in 0..20 {
        state = observe(&spec, &state, &window((990, 9), (10, 0)));
    }
    assert_eq!((state.phase, state.step), (Phase::Running, 0));
    assert!(matches!(&state.last_event, Event::Held { why } if why.contains("traffic: fail")));
}

#[test]
fn a_guardrail_that_holds_does_not_roll_back() {
    let spec = spec(vec![failures(OnFail::Hold)]);
    let state = observe(
        &spec,
        &RolloutState::started(),
        &window((900, 9), (100, 40)),
    );
    assert_eq!((state.phase, state.step), (Phase::Running, 0));
}

#[test]
fn a_window_sent_again_counts_once() {
    let spec = spec(vec![failures(OnFail::RollBack)]);
    let named = |number| {
        window((90, 0), (10, 0))
            .with_id("web-1".parse().unwrap(), number)
            .unwrap()
    };
    let once = observe(&spec, &RolloutState::started(), &named(2));
    for number in [1, 2] {
        let again = spec.decide(&once, &Input::Observe(named(number))).unwrap();
        assert_eq!(again, []);
    }
    assert_eq!(
        spec.decide(&once, &Input::Observe(named(3))).unwrap().len(),
        2
    );
}

#[test]
fn a_late_window_is_evidence_but_not_progress_and_an_early_one_is_refused() {
    let spec = standard();
    let second = observe(&spec, &RolloutState::started(), &good());
    let of_step = |step| {
        let mut window = window((900, 0), (200, 0));
        window.origin = Some(WindowOrigin {
            rollout: "rollout:prod@1".parse().unwrap(),
            step,
        });
        Input::Observe(window)
    };
    let late = run(&spec, &second, &of_step(0));
    assert_eq!(
        (late.step, late.step_requests),
        (1, StepRequests::default())
    );
    assert_eq!(spec.guardrails(&late)[0].report.n, 300);
    let error = spec.decide(&second, &of_step(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn there_is_no_way_back_from_the_first_unit() {
    let mut spec = standard();
    spec.baseline = None;
    let [_, _, promote, roll_back, _] = every_command();
    let completed = run(&spec, &RolloutState::started(), &promote);
    let error = spec.decide(&completed, &roll_back).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

fn any_input() -> impl Strategy<Value = Input> {
    let arm = || (0_u64..400, 0_u64..8).prop_map(|(n, failed)| (n.max(failed), failed));
    let id = proptest::option::of(1_u64..20);
    prop_oneof![
        6 => (arm(), arm(), id).prop_map(|(control, canary, id)| {
            let window = window(control, canary);
            Input::Observe(match id {
                Some(number) => window.with_id("s".parse().unwrap(), number).unwrap(),
                None => window,
            })
        }),
        2 => proptest::sample::select(every_command().to_vec()),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_share_only_grows_until_it_is_gone(
        inputs in proptest::collection::vec(any_input(), 0..60),
    ) {
        let spec = spec(vec![failures(OnFail::RollBack), ratio()]);
        let mut state = RolloutState::started();
        for input in &inputs {
            let Ok(events) = spec.decide(&state, input) else { continue };
            let before = state.clone();
            for event in &events {
                state = spec.evolve(state, event).unwrap();
            }
            let weights = spec.weights(&state);
            prop_assert_eq!(weights.control + weights.canary, 10_000);
            match state.phase {
                Phase::Running | Phase::Paused | Phase::Completed => {
                    prop_assert!(weights.canary >= spec.weights(&before).canary);
                    prop_assert!(before.phase.is_live() || events.is_empty());
                }
                Phase::RolledBack | Phase::Superseded => prop_assert_eq!(weights.canary, 0),
            }
            // Going on by itself takes a passing verdict of every guardrail.
            let by_itself = matches!(input, Input::Observe(_))
                && (state.step > before.step || state.phase == Phase::Completed)
                && !events.is_empty();
            if by_itself {
                let passed = spec
                    .guardrails(&state)
                    .iter()
                    .all(|status| status.report.verdict == Verdict::Pass);
                prop_assert!(passed);
            }
            let json = serde_json::to_value(&state).unwrap();
            prop_assert_eq!(serde_json::from_value::<RolloutState>(json).unwrap(), state.clone());
        }
    }
}
