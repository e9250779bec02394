//! Processes that share a database.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_children::{race, say, wait_for_all};
use mainstay_core::Result;
use mainstay_store::{Key, PutOutcome, Storage, StorageExt as _};
use mainstay_store_sql::DatabaseUrl;

const PROCESSES: usize = 8;
const ROUNDS: usize = 100;

/// Opens a database with nothing but what its URL says.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Storage>> {
    mainstay_store_sql::open(&DatabaseUrl::parse(url)?, &BTreeMap::new()).await
}

/// Lets processes create the same keys; each key must have one winner, whose bytes are there.
pub(crate) async fn create_all(test: &str, url: &str) {
    let mut winners = vec![Vec::new(); ROUNDS];
    for (writer, won) in race(test, url, PROCESSES).iter().enumerate() {
        for round in won {
            winners[round.parse::<usize>().unwrap()].push(writer.to_string());
        }
    }
    let storage = open(url).await.unwrap();
    for (round, winners) in winners.iter().enumerate() {
        let bytes = storage.get_all(&round_key(round)).await.unwrap().unwrap();
        assert_eq!(winners, &[String::from_utf8(bytes.to_vec()).unwrap()]);
    }
}

/// What each child of [`create_all`] does.
pub(crate) async fn take_part(url: &str, writer: usize) {
    let storage = open(url).await.unwrap();
    wait_for_all();
    for round in 0..ROUNDS {
        let bytes = writer.to_string().into();
        let outcome = storage.create(&round_key(round), bytes).await.unwrap();
        if outcome == PutOutcome::Written {
            say(&round.to_string());
        }
    }
}

fn round_key(round: usize) -> Key {
    Key::new(format!("log/{round:03}")).unwrap()
}
