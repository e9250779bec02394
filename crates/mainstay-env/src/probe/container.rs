//! Whether this is a container: evidence first, then a verdict.

use super::{Found, Scene};
use crate::{Container, ContainerVerdict};

/// The inode of the initial process namespace, fixed by Linux (`PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Words in a control group's path and the runtime they tell.
const GROUPS: [(&str, &str); 6] = [
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("crio-", "cri-o"),
    ("containerd", "containerd"),
    ("/lxc", "lxc"),
];

/// One thing that speaks for or against a container.
struct Evidence {
    what: String,
    speaks: Speaks,
    runtime: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// Set by the kernel or by root outside: cannot be copied into an image.
    ForStrongly,
    /// A file or variable that anyone may have put there.
    ForWeakly,
    Against,
}

/// Returns the verdict and what it rests on.
pub(crate) fn container(scene: &Scene<'_>, image: Option<&str>) -> (Found<Container>, Vec<String>) {
    let evidence = evidence(scene);
    let texts: Vec<String> = evidence
        .iter()
        .map(|evidence| evidence.what.clone())
        .collect();
    let detail = format!("{} pieces of evidence", texts.len());
    let Some(verdict) = verdict(&evidence) else {
        return (Found::not_collected("nothing speaks for or against"), texts);
    };
    let container = Container {
        verdict,
        runtime: evidence.into_iter().find_map(|evidence| evidence.runtime),
        image: image.map(ToOwned::to_owned),
    };
    (Found::known(container, detail), texts)
}

fn evidence(scene: &Scene<'_>) -> Vec<Evidence> {
    let mut found = Vec::new();
    let mut add = |what: &str, speaks, runtime: Option<&str>| {
        found.push(Evidence {
            what: what.into(),
            speaks,
            runtime: runtime.map(ToOwned::to_owned),
        });
    };
    for path in ["/proc/1/cgroup", "/proc/self/cgroup"] {
        let groups = scene.tree.text(path).ok().flatten().unwrap_or_default();
        if let Some((_, runtime)) = GROUPS.iter().find(|(word, _)| groups.contains(word)) {
            add(
                &format!("control group of {runtime}"),
                Speaks::ForStrongly,
                Some(runtime),
            );
            break;
        }
    }
    match scene.tree.link("/proc/self/ns/pid").as_deref() {
        Some(INITIAL_PID_NAMESPACE) => add("initial process namespace", Speaks::Against, None),
        Some(_) => add("own process namespace", Speaks::ForStrongly, None),
        None => {}
    }
    for (path, runtime) in [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")] {
        if scene.tree.exists(path) {
            add(&format!("file {path}"), Speaks::ForWeakly, Some(runtime));
        }
    }
    if scene.variables.get("KUBERNETES_SERVICE_HOST").is_some() {
        let variable = "variable KUBERNETES_SERVICE_HOST";
        add(variable, Speaks::ForWeakly, Some("kubernetes"));
    }
    if let Some(runtime) = scene.variables.get("container") {
        let known = ["docker", "podman", "oci", "lxc", "systemd-nspawn"];
        let runtime = known.into_iter().find(|name| *name == runtime);
        add("variable container", Speaks::ForWeakly, runtime);
    }
    found
}

/// Weighs the evidence; `None` when there is none.
fn verdict(evidence: &[Evidence]) -> Option<ContainerVerdict> {
    let any = |speaks| evidence.iter().any(|evidence| evidence.speaks == speaks);
    let (strong, weak) = (any(Speaks::ForStrongly), any(Speaks::ForWeakly));
    match (strong, weak, any(Speaks::Against)) {
        (true, _, _) | (false, true, false) => Some(ContainerVerdict::Container),
        (false, true, true) => Some(ContainerVerdict::Unclear),
        (false, false, true) => Some(ContainerVerdict::Host),
        (false, false, false) => None,
    }
}
