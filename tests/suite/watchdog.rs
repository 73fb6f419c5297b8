//! The watchdog watches progress: a server of which one part hangs is killed by systemd and is
//! back within two watchdog periods, and the turn that runs meanwhile does not notice.

use crate::lab::{Lab, SERVICE, ask, go_on};
use crate::units::{agent_unit, main_pid, message, systemctl};
use parachute_tests::eventually;
use serde_json::json;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_server_that_hangs_is_replaced() {
    let Some(lab) = Lab::started("").await else {
        return;
    };
    for (so_often, part) in ["event-loop", "writer", "accept"].into_iter().enumerate() {
        let lines = format!(
            "[Service]\nWatchdogSec={}\nEnvironment=PARACHUTE_FAULT={part}\n",
            PERIOD.as_secs()
        );
        lab.drop_in(SERVICE, &lines).await;
        systemctl(&["restart", SERVICE]).await;
        let slow = json!({ "tokens": 100, "delay": 0.1, "utf8": true });
        let mut stream = lab.local().chat("text=delta", &ask(part, "slow", slow)).await;
        assert!(stream.until("text").await, "{:?}", stream.kinds());
        let session = stream.session();
        let unit = agent_unit(&session);
        let agent = main_pid(&unit).await;
        assert!(agent.is_some());

        let hung = main_pid(SERVICE).await;
        let begin = Instant::now();
        systemctl(&["kill", "--kill-whom=main", "-s", "USR1", SERVICE]).await;
        eventually("another server serves", async || {
            let now = main_pid(SERVICE).await;
            (now.is_some() && now != hung).then_some(())
        })
        .await;
        // A connection waits in the socket's queue, so this is when it serves again.
        assert_eq!(lab.local().get("/api/health").await.status, 200);
        let back = begin.elapsed();
        println!("{part}: back after {back:.2?}");
        let entries = lab.journal("parachute").await;
        let said = |what: &str| entries.iter().filter(|e| message(e).contains(what)).count();
        assert!(said("Watchdog timeout") > so_often, "systemd did not kill it");
        assert!(back < 2 * PERIOD, "two periods are {:?}", 2 * PERIOD);

        assert_eq!(main_pid(&unit).await, agent, "the turn is not touched");
        let resumed = go_on(&lab.local(), &session, stream).await;
        assert_eq!(resumed.kinds().last().map(String::as_str), Some("done"));
        let words = resumed.heard.texts.concat();
        assert_eq!(words.split(' ').count(), 100, "{words}");
    }
}
