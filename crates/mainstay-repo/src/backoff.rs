//! How long a writer waits before it tries again.

use std::time::Duration;

use mainstay_core::WriteId;
use mainstay_store::Timer;

const FIRST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(100);

/// Waits before attempt `attempt + 1`: doubling, capped, and spread over ±50 % by the write id, so
/// that writers who collided do not meet again.
pub(crate) async fn back_off(timer: &dyn Timer, write_id: WriteId, attempt: u32) {
    timer.sleep(delay(write_id, attempt)).await;
}

fn delay(write_id: WriteId, attempt: u32) -> Duration {
    let whole = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
    let byte = write_id.as_bytes()[attempt as usize % 16];
    whole / 2 + whole * u32::from(byte) / 255
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_is_never_zero_and_bounded(id: [u8; 16], attempt: u32) {
            let delay = delay(WriteId::from_bytes(id), attempt);
            prop_assert!(delay >= FIRST / 2 && delay <= LONGEST * 3 / 2);
        }
    }
}
