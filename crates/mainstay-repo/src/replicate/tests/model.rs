//! Random commits, runs, crashes and collections on both sides, against a model.

use mainstay_store::fault::{Applied, Fault, FaultStorage};
use proptest::prelude::*;

use super::*;

/// What happens.
#[derive(Debug, Clone)]
enum Act {
    /// The source puts files of these contents at a ref.
    Put {
        at: u8,
        contents: Vec<u8>,
    },
    /// It changes two refs at once.
    Both(u8, u8),
    Drop(u8),
    CollectSource,
    CollectTarget,
    /// Somebody writes beside the replica.
    WriteTarget(u8),
    /// A run, that dies at an operation of the target or does not.
    Run {
        dies_at: Option<(u64, bool)>,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let contents = proptest::collection::vec(0_u8..12, 1..4);
    prop_oneof![
        4 => (0_u8..4, contents).prop_map(|(at, contents)| Act::Put { at, contents }),
        2 => (0_u8..4, 0_u8..4).prop_map(|(a, b)| Act::Both(a, b)),
        2 => (0_u8..4).prop_map(Act::Drop),
        2 => Just(Act::CollectSource),
        2 => Just(Act::CollectTarget),
        1 => (0_u8..12).prop_map(Act::WriteTarget),
        4 => proptest::option::of((1_u64..40, any::<bool>())).prop_map(|dies_at| Act::Run { dies_at }),
    ]
}

/// Small contents lie in their manifests, larger ones in chunks.
fn content(n: u8) -> Bytes {
    let len = if n.is_multiple_of(3) {
        100
    } else {
        20_000 + 1_000 * usize::from(n)
    };
    random_bytes(len, n.into()).into()
}

struct Model {
    pair: Pair,
    /// What the target writes by itself.
    own: BTreeMap<String, (u64, Option<Value>)>,
    seeds: u64,
}

impl Model {
    async fn perform(&mut self, act: Act) {
        match act {
            Act::Put { at, contents } => {
                let contents: Vec<Bytes> = contents.into_iter().map(content).collect();
                put(
                    &self.pair.source().await,
                    &format!("files/f{at}"),
                    &contents,
                )
                .await;
            }
            Act::Both(a, b) => {
                let source = self.pair.source().await;
                let (a, b) = (format!("note/n{a}"), format!("files/f{b}"));
                let both = [(a.as_str(), note("both")), (b.as_str(), note("both"))];
                commit(&source, "both", &both).await.unwrap();
            }
            Act::Drop(at) => {
                let source = self.pair.source().await;
                let drop = [(&*format!("files/f{at}"), None)];
                commit(&source, "drop", &drop).await.unwrap();
            }
            Act::CollectSource => collect(&self.pair.source().await).await,
            Act::CollectTarget => collect(&self.pair.target().await).await,
            Act::WriteTarget(n) => {
                let target = self.pair.target().await;
                put(&target, "own/x", &[content(n)]).await;
                self.own = values(&target.view().await.unwrap()).await;
                self.own.retain(|path, _| path.starts_with("own/"));
            }
            Act::Run { dies_at } => self.run(dies_at).await,
        }
        self.pair.clock.advance(Duration::from_mins(1));
    }

    async fn run(&mut self, dies_at: Option<(u64, bool)>) {
        self.seeds += 1;
        let faulty = Arc::new(FaultStorage::new(Arc::clone(&self.pair.into)));
        let target = open(
            Arc::clone(&faulty) as _,
            &self.pair.clock,
            1_000 + self.seeds,
        )
        .await;
        if let Some((operation, applied)) = dies_at {
            let applied = if applied { Applied::Yes } else { Applied::No };
            faulty.fail_at(faulty.operations() + operation, Fault::Crash(applied));
        }
        let source = self.pair.source().await;
        let ended = run(&source, &target, &all().with_session_bytes(30_000)).await;
        assert!(ended.is_ok() || faulty.is_crashed(), "{ended:?}");
        let target = self.pair.target().await;
        let mut there = values(&target.view().await.unwrap()).await;
        let own = self.own.clone();
        there.retain(|path, held| own.get(path) != Some(held));
        if ended.is_ok() {
            let from = values(&source.view().await.unwrap()).await;
            assert_eq!(from, there);
        } else {
            self.assert_past(&source, there).await;
        }
        for (path, (_, value)) in values(&target.view().await.unwrap()).await {
            for blob in value.into_iter().flat_map(|value| value.blobs) {
                let found = target.blob(&blob).await.unwrap();
                assert_eq!(
                    found
                        .expect(&path)
                        .bytes()
                        .await
                        .map(|b| Digest::of(&b))
                        .unwrap(),
                    blob
                );
            }
        }
        assert_sound(&target).await;
    }

    /// What is there, except for blobs that are no more, is a state that the source had.
    async fn assert_past(&self, source: &Repo, mut there: BTreeMap<String, (u64, Option<Value>)>) {
        let bare = |values: &mut BTreeMap<String, (u64, Option<Value>)>| {
            for (_, value) in values.values_mut() {
                if let Some(value) = value {
                    value.blobs.clear();
                }
            }
        };
        bare(&mut there);
        for seq in 0..=source.view().await.unwrap().seq() {
            let mut was = values(&source.view_at(seq).await.unwrap()).await;
            bare(&mut was);
            if was == there {
                return;
            }
        }
        panic!("never was: {there:?}");
    }
}

fn cases() -> u32 {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    if long { 2_000 } else { 24 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_target_is_always_a_state_that_the_source_had(acts in proptest::collection::vec(act(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model { pair: Pair::new(), own: BTreeMap::new(), seeds: 0 };
            for act in acts {
                model.perform(act).await;
            }
            model.run(None).await;
        });
    }
}
