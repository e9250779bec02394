//! Push and pull.

use crate::support::{Shell, has};

#[test]
fn a_workspace_is_backed_up_restored_and_goes_on() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json("model register species model.bin --data penguins");
    let missing = shell.failure(3, "push backup");
    assert_eq!(missing["kind"], "not_found");

    let first = shell.json("push backup --create");
    has(
        &first,
        &[
            "source",
            "seq",
            "entries",
            "transactions",
            "changes",
            "changes_already_there",
            "blobs",
            "blobs_already_there",
            "blobs_collected",
            "chunks",
            "chunks_already_there",
            "read_bytes",
            "written_bytes",
        ],
    );
    assert_eq!(first["transactions"], first["entries"]);
    shell.json("model alias species champion 1.0.0");
    let second = shell.json("push backup");
    assert_eq!(
        (&second["transactions"], &second["blobs"]),
        (&1.into(), &0.into())
    );
    let nothing = shell.json("push backup");
    assert_eq!(nothing["entries"], 0);

    shell.json("--repo restored init");
    shell.json("--repo restored pull backup");
    shell.json("--repo restored verify --full");
    let shown = shell.json("--repo restored model show species@champion");
    assert_eq!(shown, shell.json("model show species@champion"));
    shell.json("--repo restored lineage up model:species@1.0.0");
    shell.json("--repo restored model pull species out");
    let history = "history model/species/alias/champion";
    let told = shell.json(&format!("--repo restored {history}"));
    assert_eq!(told, shell.json(history));
    assert_eq!(shell.run("push backup").code, 0);
}

#[test]
fn one_model_is_handed_over_and_a_change_there_is_not_overwritten() {
    let shell = Shell::new();
    shell.json("model register species model.bin");
    shell.json("model register other model.bin");
    shell.json("--repo prod init");
    shell.json("push prod --ref model/species");
    shell.json("--repo prod model show species");
    assert_eq!(shell.run("--repo prod model show other").code, 3);

    shell.json("--repo prod model alias species champion 1.0.0");
    shell.json("model alias species champion 1.0.0 --reason other");
    // The same change on both sides is no conflict.
    shell.json("push prod --ref model/species");
    shell.json("--repo prod model alias species champion --remove");
    shell.write("model.bin", "better weights");
    shell.json("model register species model.bin --bump minor");
    shell.json("model alias species champion 1.1.0");
    let conflict = shell.failure(4, "push prod --ref model/species");
    assert_eq!(conflict["context"]["ref"], "model/species/alias/champion");

    let mirrored = shell.json("push prod --namespace mirror/dev");
    assert_eq!(mirrored["changes_already_there"], 0);
    shell.json("--repo again init");
    shell.json("--repo again pull prod --from-namespace mirror/dev");
    shell.json("--repo again model show other");
    shell.json("--repo again verify --full");
    shell.failure(2, "push prod --namespace gc/x");
    shell.failure(2, "push .mainstay");
}
