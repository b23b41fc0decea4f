//! What is encrypted stays readable with its keys, and with nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::store::audit::Author;
use crate::store::lease::LeaderElection;
use crate::store::sync::SyncState;
use crate::store::{At, options};
use crate::ticket::{Directory, TenantId};

const NAME: &str = "Ada Byron of Somewhere";

fn key(number: u8) -> String {
    format!("{number:02x}").repeat(32)
}

fn ring(text: &str) -> Arc<KeyRing> {
    if text.is_empty() { Arc::default() } else { Arc::new(KeyRing::parse(text).unwrap()) }
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sla.db")
    }

    fn place(&self) -> Place {
        Place::from(&self.path())
    }

    async fn open(&self, keys: &str) -> Result<Store, StoreError> {
        Store::open(At { place: self.place(), keys: ring(keys) }, Arc::default()).await
    }

    /// Brings everything under the first of `keys`, and forgets the others.
    async fn rotate(&self, keys: &str) -> Turned {
        let (store, keys) = (self.open(keys).await.unwrap(), ring(keys));
        let turned = store.turn_to_first_key(&self.place(), &keys, |_, _| ()).await.unwrap();
        store.forget_keys(keys.first().into_iter().map(str::to_owned).collect()).await.unwrap();
        store.close().await;
        wipe_freed(&self.place()).await.unwrap();
        turned
    }

    /// Counts all texts together: plain, and by each of the keys in order.
    async fn stand(&self, keys: &str) -> (u64, Vec<u64>) {
        let keys = ring(keys);
        let all = Store::standing(&self.place(), &keys, |_, _| ()).await.unwrap();
        assert!(all.values().all(|one| one.broken.is_empty()), "{all:?}");
        let by = |id: &str| all.values().filter_map(|one| one.sealed.get(id)).sum();
        (all.values().map(|one| one.plain).sum(), keys.ids().map(by).collect())
    }

    /// Whether the bytes of the file, or of the log beside it, contain the name.
    fn shows_the_name(&self) -> bool {
        let files =
            std::fs::read_dir(self.folder.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(NAME.len()).any(|part| part == NAME.as_bytes()))
    }
}

fn tenant(number: usize) -> TenantId {
    TenantId::parse(&format!("t{number:04}")).unwrap()
}

fn named() -> Directory {
    Directory { statuses: vec![NAME.to_owned()], ..Directory::default() }
}

async fn fill(store: &Store, tenants: usize) {
    for number in 0..tenants {
        store
            .save_directory(&tenant(number), named(), vec![], SyncState::default(), chrono::DateTime::UNIX_EPOCH)
            .await
            .unwrap();
    }
}

async fn is_whole(store: &Store, tenants: usize) -> bool {
    for number in 0..tenants {
        if store.directory(&tenant(number)).await.unwrap().statuses != [NAME] {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn what_is_encrypted_is_read_with_its_key_alone_and_no_other_begins() {
    let desk = Desk::new();
    let store = desk.open(&key(1)).await.unwrap();
    fill(&store, 1).await;
    store.close().await;
    assert!(Place::tests_have_a_server() || !desk.shows_the_name());
    let id = ring(&key(1)).first().unwrap().to_owned();
    for keys in [String::new(), key(2)] {
        let error = desk.open(&keys).await.err().expect("it is not opened");
        assert!(matches!(&error, StoreError::KeyMissing(missing) if *missing == id), "{error}");
    }
    let store = desk.open(&format!("{},{}", key(2), key(1))).await.unwrap();
    assert!(is_whole(&store, 1).await);
}

/// A running service, as others see it.
enum AtWork {
    OnFile(crate::store::Claim),
    OnServer(LeaderElection),
}

impl AtWork {
    async fn with(place: Place, keys: Arc<KeyRing>) -> Self {
        match place {
            Place::File(_) => Self::OnFile(Store::claim(At { place, keys }).unwrap()),
            Place::Server(server) => {
                Self::OnServer(LeaderElection::start(&server.with_keys(&keys), |_| ()).await.unwrap())
            }
        }
    }

    async fn end(self) {
        match self {
            Self::OnFile(claim) => drop(claim),
            Self::OnServer(election) => election.stop().await,
        }
    }
}

#[tokio::test]
async fn who_comes_with_a_new_key_takes_nothing_from_a_service_that_does_not_hold_it() {
    for (before, after) in [(key(1), format!("{},{}", key(2), key(1))), (String::new(), key(2))] {
        let desk = Desk::new();
        let service = desk.open(&before).await.unwrap();
        let at_work = AtWork::with(desk.place(), ring(&before)).await;
        let keys = ring(&after);
        let beside = Store::open(At { place: desk.place(), keys: keys.clone() }, Arc::default()).await.unwrap();
        fill(&beside, 2).await;
        assert_eq!((service.missing_keys().await.unwrap(), is_whole(&service, 2).await), (vec![], true), "{before}");
        assert!(keys.is_held_back() && !beside.take_up_first_key(&desk.place()).await.unwrap());
        service.close().await;
        at_work.end().await;
        // One that holds it takes its place.
        let at_work = AtWork::with(desk.place(), ring(&after)).await;
        assert!(beside.take_up_first_key(&desk.place()).await.unwrap() && !keys.is_held_back());
        fill(&beside, 3).await;
        beside.close().await;
        assert!(desk.stand(&after).await.1[0] > 0, "from now on the new key encrypts");
        assert!(is_whole(&desk.open(&after).await.unwrap(), 3).await);
        at_work.end().await;
    }
}

#[tokio::test]
async fn what_was_encrypted_stays_so_beside_a_service_that_does_not_say_which_keys_it_holds() {
    let desk = Desk::new();
    desk.open(&key(1)).await.unwrap().close().await;
    let at_work = AtWork::with(desk.place(), Arc::default()).await;
    let keys = ring(&format!("{},{}", key(2), key(1)));
    let store = Store::open(At { place: desk.place(), keys: keys.clone() }, Arc::default()).await.unwrap();
    assert_eq!(keys.sealing(), ring(&key(1)).first());
    fill(&store, 1).await;
    at_work.end().await;
    assert_eq!(desk.stand(&key(1)).await, (0, vec![1]));
}

#[tokio::test]
async fn a_new_key_takes_over_and_the_old_one_may_go() {
    let desk = Desk::new();
    let store = desk.open("").await.unwrap();
    fill(&store, 3).await;
    store.close().await;
    assert!(Place::tests_have_a_server() || desk.shows_the_name());
    assert_eq!(desk.rotate(&key(1)).await.rows, 3);
    assert!(Place::tests_have_a_server() || !desk.shows_the_name(), "not even where it stood before");
    let both = format!("{},{}", key(2), key(1));
    assert_eq!(desk.stand(&both).await, (0, vec![0, 3]));
    assert_eq!(desk.rotate(&both).await.rows, 3);
    assert_eq!(desk.rotate(&both).await.rows, 0, "there is nothing left to be done");
    let store = desk.open(&key(2)).await.unwrap();
    assert!(is_whole(&store, 3).await);
    store.close().await;
    // And back again.
    assert_eq!(desk.rotate(&format!("plain,{}", key(2))).await.rows, 3);
    let store = desk.open("").await.unwrap();
    assert!(is_whole(&store, 3).await);
    assert_eq!(desk.stand("").await, (3, vec![]));
}

#[tokio::test]
async fn a_rotation_that_is_broken_off_loses_nothing_and_is_simply_begun_again() {
    let desk = Desk::new();
    let store = desk.open(&key(1)).await.unwrap();
    fill(&store, 850).await;
    store.close().await;
    let both = format!("{},{}", key(2), key(1));
    let store = desk.open(&both).await.unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let (place, keys) = (desk.place(), ring(&both));
    let half = store.turn_to_first_key(&place, &keys, |_, rows| {
        if rows > 200 {
            tell.take().map(|tell| tell.send(()));
        }
    });
    tokio::select! {
        biased;
        half_way = told => half_way.unwrap(),
        _ = half => panic!("it was to be broken off"),
    }
    store.close().await;
    let (plain, by) = desk.stand(&both).await;
    assert_eq!((plain, by[0] + by[1]), (0, 850));
    assert!(by[0] >= 200 && by[1] > 0, "{by:?}");
    let store = desk.open(&both).await.unwrap();
    assert!(is_whole(&store, 850).await, "both are read meanwhile");
    store.close().await;
    assert!(desk.open(&key(2)).await.is_err(), "the old key is still needed");
    desk.rotate(&both).await;
    assert_eq!(desk.stand(&both).await, (0, vec![850, 0]));
    let store = desk.open(&key(2)).await.unwrap();
    assert!(is_whole(&store, 850).await);
}

#[tokio::test]
async fn a_value_from_another_row_is_not_taken_for_its_own() {
    let desk = Desk::new();
    let store = desk.open(&key(1)).await.unwrap();
    fill(&store, 2).await;
    let swap = "UPDATE directories SET directory = (SELECT o.directory FROM directories o WHERE o.tenant = 't0000')";
    let mut beside = match desk.place() {
        Place::File(path) => Connection::to_file(&options(&path)).await.unwrap(),
        Place::Server(server) => Connection::to_server(&server).await.unwrap(),
    };
    sql::query(swap).execute(&mut beside).await.unwrap();
    store.close().await;
    let store = desk.open(&key(1)).await.unwrap();
    assert!(store.directory(&tenant(0)).await.is_ok());
    assert!(store.directory(&tenant(1)).await.is_err());
    let all = Store::standing(&desk.place(), &ring(&key(1)), |_, _| ()).await.unwrap();
    assert_eq!(all["directories.directory"].broken, ["t0001"]);
    let turned =
        store.turn_to_first_key(&desk.place(), &ring(&format!("{},{}", key(2), key(1))), |_, _| ()).await.unwrap();
    assert_eq!((turned.rows, turned.left.len()), (1, 1), "what does not open is left as it is, and told");
}

#[tokio::test]
async fn a_person_is_erased_from_an_encrypted_store_which_stays_encrypted() {
    let desk = Desk::new();
    let store = desk.open(&key(1)).await.unwrap();
    let directory = r#"{"technicians":{"7":{"id":"7","name":"Ada Byron of Somewhere","email":"ada@example.com",
        "phone":"+15005550006","manager":null,"groups":[]}},"clients":{},"sites":{},"groups":{},"slas":{},"statuses":[],
        "priorities":[]}"#;
    let now = chrono::DateTime::UNIX_EPOCH;
    let directory = serde_json::from_str(directory).unwrap();
    store.save_directory(&tenant(0), directory, vec![], SyncState::default(), now).await.unwrap();
    let author = || Author { who: "root".to_owned(), origin: "command line".to_owned() };
    store.stop_phone("+15005550006", author(), now).await.unwrap();
    assert!(store.phone_stopped("+15005550006").await.unwrap());
    let person = store.persons(&tenant(0), "ada@example.com").await.unwrap().remove(0);
    assert!(
        store.mentions(&person).await.unwrap().iter().any(|one| one.table == "people"),
        "export reads what is sealed"
    );
    let erased = store.erase_person(&person, "Technician 1A2B", author(), now).await.unwrap();
    assert_eq!(erased.numbers, 1);
    store.close().await;
    let store = desk.open(&key(1)).await.unwrap();
    assert_eq!(store.directory(&tenant(0)).await.unwrap().technicians.values().next().unwrap().name, "Technician 1A2B");
    assert!(!store.phone_stopped("+15005550006").await.unwrap());
    assert_eq!(desk.stand(&key(1)).await, (0, vec![2]), "the directory, and the name in the books");
}

/// Either key may have sealed the value that is looked for while a rotation is in progress.
#[tokio::test]
async fn what_is_looked_for_by_number_is_found_under_whichever_key_and_stands_once() {
    const PHONE: &str = "+15005550006";
    let desk = Desk::new();
    let (now, both) = (chrono::DateTime::UNIX_EPOCH, format!("{},{}", key(2), key(1)));
    let author = || Author { who: NAME.to_owned(), origin: "text message".to_owned() };
    for keys in [String::new(), key(1), both.clone()] {
        let store = desk.open(&keys).await.unwrap();
        assert_eq!(store.stop_phone(PHONE, author(), now).await.unwrap(), keys.is_empty(), "it was stopped before");
        let code = store.sms_code("+15005550007", "alert", "message", now).await.unwrap();
        assert_eq!(code, Some(1), "the same alert keeps its code");
        assert_eq!(store.stopped_phones().await.unwrap().len(), 1);
        assert!(store.coded("+15005550007", Some(1)).await.unwrap().is_some());
        store.close().await;
    }
    desk.rotate(&both).await;
    let store = desk.open(&key(2)).await.unwrap();
    assert!(store.phone_stopped(PHONE).await.unwrap());
    assert!(store.start_phone(PHONE, author(), now).await.unwrap());
    assert!(store.stopped_phones().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_is_the_same_before_and_after_it_is_encrypted() {
    let desk = Desk::new();
    let now = chrono::DateTime::UNIX_EPOCH;
    let store = desk.open("").await.unwrap();
    let kept = store.secret("links", [7; 32], now).await.unwrap();
    store.close().await;
    desk.rotate(&key(1)).await;
    let store = desk.open(&key(1)).await.unwrap();
    assert_eq!(store.secret("links", [8; 32], now).await.unwrap(), kept);
    assert_eq!(store.secret("others", [9; 32], now).await.unwrap(), [9; 32]);
    store.close().await;
    assert_eq!(desk.stand(&key(1)).await, (0, vec![2]));
    desk.rotate(&format!("plain,{}", key(1))).await;
    let store = desk.open("").await.unwrap();
    assert_eq!(store.secret("links", [8; 32], now).await.unwrap(), kept);
}
