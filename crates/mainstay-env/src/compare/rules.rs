//! The severity table: one row a rule.

use super::Severity;

/// A rule: what differs, and how grave that is under each policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Its stable id.
    pub id: &'static str,
    /// Its grade under [`Policy::Bitwise`](crate::Policy::Bitwise); `None` means ignored.
    pub bitwise: Option<Severity>,
    /// Its grade under [`Policy::Numeric`](crate::Policy::Numeric).
    pub numeric: Option<Severity>,
    /// Its grade under [`Policy::Serve`](crate::Policy::Serve).
    pub serve: Option<Severity>,
    /// Why the difference matters.
    pub why: &'static str,
    /// What to do about it in general.
    pub fix: &'static str,
}

const E: Option<Severity> = Some(Severity::Error);
const W: Option<Severity> = Some(Severity::Warning);
const I: Option<Severity> = Some(Severity::Info);
const N: Option<Severity> = None;

macro_rules! rules {
    ($($name:ident $id:literal $bitwise:ident $numeric:ident $serve:ident $why:literal $fix:literal)*) => {
        /// Names a row of [`RULES`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum RuleId { $($name),* }

        /// Every rule with its grades.
        pub const RULES: &[Rule] = &[$(Rule {
            id: $id, bitwise: $bitwise, numeric: $numeric, serve: $serve, why: $why, fix: $fix,
        }),*];

        impl RuleId {
            pub(super) const fn rule(self) -> &'static Rule {
                &RULES[self as usize]
            }
        }
    };
}

rules! {
    // rule             id                       B N S  why, fix
    Unknown             "unknown"                W I I  "a fact that was not captured cannot be called equal"
                                                        "capture both environments where the fact can be read"
    Os                  "platform.os"            E W E  "native code of one operating system does not run on another"
                                                        "run on the same operating system"
    Architecture        "platform.architecture"  E W E  "native code of one architecture does not run on another"
                                                        "run on the same architecture, or build for this one"
    Distribution        "os.distribution"        W I I  "distributions patch and configure libraries differently"
                                                        "use the same base image"
    Kernel              "os.kernel"              I I I  "drivers and limits depend on the kernel"
                                                        "use the same kernel release if a driver misbehaves"
    LibcImplementation  "libc.implementation"    E W E  "binaries are linked against one C library"
                                                        "use a base image with the same C library"
    LibcOlder           "libc.older"             W W W  "binaries built against a newer C library may not load"
                                                        "use a base image with at least the recorded version"
    LibcNewer           "libc.newer"             W I I  "mathematical functions change in their last digits between versions"
                                                        "use the same base image"
    CpuLevel            "cpu.level"              E E E  "code built for the recorded level stops with an illegal instruction"
                                                        "run on a processor of at least the recorded level"
    CpuMissing          "cpu.features_missing"   E W W  "libraries dispatch to other kernels, and code built for a feature stops"
                                                        "run on a processor with the recorded features"
    CpuAdded            "cpu.features_added"     E W I  "libraries dispatch to wider vector kernels, which round differently"
                                                        "pin the dispatch, as with ATEN_CPU_CAPABILITY or OPENBLAS_CORETYPE"
    CpuVendor           "cpu.vendor"             E W I  "libraries dispatch by vendor, and kernels of vendors round differently"
                                                        "run on a processor of the recorded vendor"
    CpuModel            "cpu.microarchitecture"  W I I  "libraries tune kernels and block sizes by microarchitecture"
                                                        "run on the recorded microarchitecture"
    CpuThreads          "cpu.threads"            E W I  "the number of threads decides the order of sums"
                                                        "set OMP_NUM_THREADS on both sides to one number"
    CpuThreadsPinned    "cpu.threads_pinned"     I I N  "another number of processors, but threads are pinned equally"
                                                        "nothing"
    GpuLost             "gpu.lost"               E W W  "work falls back to the processor, or does not start"
                                                        "run where a GPU is"
    GpuGained           "gpu.gained"             E W I  "work may move to the GPU, which rounds differently"
                                                        "hide the GPU with CUDA_VISIBLE_DEVICES="
    GpuDevices          "gpu.devices"            E W W  "kernels and random streams depend on the GPU's architecture and size"
                                                        "run on the recorded GPU model and count"
    GpuDriver           "gpu.driver"             W I I  "the driver compiles kernels that are shipped as PTX"
                                                        "use the recorded driver"
    GpuDriverTooOld     "gpu.driver_too_old"     E E E  "the installed CUDA runtime needs a newer driver"
                                                        "update the driver"
    Container           "container.verdict"      W I I  "inside and outside of a container other files are seen"
                                                        "run the recorded image"
    Image               "container.image"        W I W  "another image is another userland"
                                                        "run the image with the recorded digest"
    ImageUnpinned       "container.unpinned"     W I W  "a tag may name another image tomorrow"
                                                        "name the image by its digest"
    PythonMinor         "python.version"         E W W  "pickles and native modules belong to one minor version"
                                                        "use the recorded Python version"
    PythonPatch         "python.patch"           W I I  "patch releases fix behavior"
                                                        "use the recorded Python version"
    NumericMajor        "package.numeric_major"  E E W  "a major release of a numeric library may change results and formats"
                                                        "install the recorded version"
    Numeric             "package.numeric"        E W W  "numeric libraries are not reproducible across releases"
                                                        "install the recorded version"
    Build               "package.build"          E W W  "the same version was built or installed differently"
                                                        "install the recorded build"
    PackageMajor        "package.major"          W W W  "a major release may change behavior"
                                                        "install the recorded version"
    PackageVersion      "package.version"        W I I  "another release of a package that computes no numbers"
                                                        "install the recorded version"
    PackageSource       "package.source"         E W W  "the version of a package not from an index does not identify it"
                                                        "install from the recorded source"
    PackageMissing      "package.missing"        E W W  "what imports it fails or takes another path"
                                                        "install it"
    PackageExtra        "package.extra"          W I I  "libraries use what they find"
                                                        "uninstall it"
    Toolchain           "rust.toolchain"         W W I  "compilers optimize differently"
                                                        "use the recorded toolchain"
    Lock                "lock"                   E W I  "another lock file resolves to other dependencies"
                                                        "use the recorded lock file"
    Commit              "git.commit"             E W I  "another commit is other code"
                                                        "check out the recorded commit"
    Dirty               "git.dirty"              E W I  "the code is not what the commit says"
                                                        "commit the changes and capture again"
    DirtyUnknown        "git.dirty_unknown"      I N N  "whether the working tree differed from the commit was not looked at"
                                                        "make sure the working tree was clean"
    Threads             "variable.threads"       E W I  "the number of threads decides the order of sums"
                                                        "set the variable as recorded"
    Determinism         "variable.determinism"   E W I  "the variable decides how numbers are computed"
                                                        "set the variable as recorded"
    HashSeed            "variable.hash_seed"     W I N  "Python orders sets by a random seed unless it is fixed"
                                                        "set PYTHONHASHSEED on both sides to one number"
    Variable            "variable.other"         W I I  "the variable may change behavior"
                                                        "set the variable as recorded"
    Locale              "locale"                 W I I  "sorting and number formats depend on the locale"
                                                        "set LC_ALL as recorded"
    TimeZone            "time_zone"              W I I  "local times depend on the time zone"
                                                        "set TZ as recorded"
}
