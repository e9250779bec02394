//! Where a run takes place.

use mainstay::env::{Capture, Fact};
use serde::Serialize;

/// A machine, as far as its figures depend on it; without its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Machine {
    /// The processor's model.
    pub cpu: Option<String>,
    /// Logical processors that this process can use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The operating system and, where known, its distribution and kernel.
    pub os: String,
}

impl Machine {
    /// Looks at this machine.
    pub fn this() -> Self {
        let found = Capture::new().run();
        let identity = found.identity;
        let mut os = vec![identity.platform.os, identity.platform.architecture];
        if let Fact::Known(distribution) = identity.distribution {
            os.push(distribution.id);
            os.extend(distribution.version);
        }
        if let Fact::Known(kernel) = identity.kernel {
            os.push(kernel);
        }
        Self {
            cpu: match identity.cpu {
                Fact::Known(cpu) => cpu.model,
                _ => None,
            },
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: found.volatile.memory_bytes,
            os: os.join(" "),
        }
    }
}
