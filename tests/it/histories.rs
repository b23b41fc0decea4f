//! Random histories of a desk, through the whole product, against a model.
//!
//! Several tickets live side by side; people act, silences come and go, receivers fail, the process is
//! killed, and the loops turn in any order, also two at once. What each receiver got over SMTP and HTTP is
//! held against what [`model`] says was owed. A history that fails is told in full, and cut down to what
//! matters; its seed is kept in `proptest-regressions/histories.txt`.

mod model;
mod story;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};

use crate::support::Dies;
use model::{Action, Answers};
use story::Story;

/// What can happen next. A ticket or alert is named by a number, taken round those that there are.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Arrive { kind: u8, minutes: u16 },
    Pass { minutes: u16 },
    Jump { minutes: u16 },
    SetBack { seconds: u16 },
    Sync,
    Evaluate,
    Dispatch,
    EvaluateAndDispatch,
    SyncAndEvaluate,
    Act { which: u8, action: Action },
    ActAndEvaluate { which: u8, action: Action },
    ActAndDispatch { which: u8, action: Action },
    Touch { which: u8 },
    Answer { which: u8 },
    Close { which: u8 },
    Pause { which: u8 },
    Move { which: u8, minutes: i16 },
    Reassign { which: u8, to: u8 },
    Silence { which: Option<u8>, minutes: u16 },
    EndSilence,
    Receivers(Answers),
    Restart,
    Kill { during: Dies, after: u16 },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Acknowledge),
        2 => (5_i64..90).prop_map(|minutes| Action::Snooze(chrono::TimeDelta::minutes(minutes))),
        1 => Just(Action::Resolve),
        2 => Just(Action::Escalate),
    ]
}

fn answers() -> impl Strategy<Value = Answers> {
    prop_oneof![
        3 => Just(Answers::Well),
        1 => Just(Answers::Later),
        1 => Just(Answers::Lost),
        1 => Just(Answers::Refused),
    ]
}

fn death() -> impl Strategy<Value = Dies> {
    prop_oneof![Just(Dies::Sync), Just(Dies::Evaluate), Just(Dies::Dispatch)]
}

fn happening() -> impl Strategy<Value = Happening> {
    let which = || 0_u8..8;
    prop_oneof![
        1 => (0_u8..16, 8_u16..120).prop_map(|(kind, minutes)| Happening::Arrive { kind, minutes }),
        8 => (1_u16..40).prop_map(|minutes| Happening::Pass { minutes }),
        2 => (1_u16..90).prop_map(|minutes| Happening::Jump { minutes }),
        1 => (1_u16..5000).prop_map(|seconds| Happening::SetBack { seconds }),
        1 => Just(Happening::Sync),
        2 => Just(Happening::Evaluate),
        2 => Just(Happening::Dispatch),
        2 => Just(Happening::EvaluateAndDispatch),
        1 => Just(Happening::SyncAndEvaluate),
        4 => (which(), action()).prop_map(|(which, action)| Happening::Act { which, action }),
        2 => (which(), action()).prop_map(|(which, action)| Happening::ActAndEvaluate { which, action }),
        2 => (which(), action()).prop_map(|(which, action)| Happening::ActAndDispatch { which, action }),
        1 => which().prop_map(|which| Happening::Touch { which }),
        1 => which().prop_map(|which| Happening::Answer { which }),
        1 => which().prop_map(|which| Happening::Close { which }),
        2 => which().prop_map(|which| Happening::Pause { which }),
        1 => (which(), -60_i16..120).prop_map(|(which, minutes)| Happening::Move { which, minutes }),
        1 => (which(), 0_u8..4).prop_map(|(which, to)| Happening::Reassign { which, to }),
        2 => (prop::option::of(which()), 5_u16..60).prop_map(|(which, minutes)| Happening::Silence { which, minutes }),
        1 => Just(Happening::EndSilence),
        2 => answers().prop_map(Happening::Receivers),
        1 => Just(Happening::Restart),
        2 => (death(), 0_u16..400).prop_map(|(during, after)| Happening::Kill { during, after }),
    ]
}

fn tickets() -> impl Strategy<Value = Vec<(u8, u16)>> {
    prop::collection::vec((0_u8..16, 8_u16..90), 1..4)
}

/// Twenty, the same each time: a change is judged by what it changes. `HISTORIES=2000` runs so many new ones.
fn cases() -> (u32, RngSeed) {
    let wanted = std::env::var("HISTORIES").ok().and_then(|number| number.parse().ok());
    wanted.map_or((20, RngSeed::Fixed(20_261_121)), |number| (number, RngSeed::Random))
}

/// What went wrong, told in full.
async fn lives(tickets: &[(u8, u16)], history: &[Happening]) -> Result<(), TestCaseError> {
    let mut story = Story::begin(tickets).await;
    for happening in history {
        if story.failed().is_some() {
            break;
        }
        story.happens(*happening).await;
    }
    story.end().await;
    story.failed().map_or(Ok(()), |why| Err(TestCaseError::fail(why)))
}

#[test]
fn whatever_happens_everybody_hears_what_is_owed_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seeds = FileFailurePersistence::Direct("proptest-regressions/histories.txt");
    let (cases, rng_seed) = cases();
    let config = Config {
        cases,
        rng_seed,
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(seeds)),
        ..Config::default()
    };
    let histories = (tickets(), prop::collection::vec(happening(), 1..24));
    let told =
        TestRunner::new(config).run(&histories, |(tickets, history)| runtime.block_on(lives(&tickets, &history)));
    if let Err(error) = told {
        panic!("{error}");
    }
}
