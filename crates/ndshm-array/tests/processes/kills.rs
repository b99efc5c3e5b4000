//! SIGKILL at random moments. A kill counts only when the victim's own word says that it hit the
//! named state.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use ndshm_array::{ClaimError, SharedArray2};
use ndshm_testkit::{Child, Rng, Role, Samples, SharedMemory, until};

use crate::common::{Name, only};
use crate::victim::{BYSTANDER, COLUMNS, Doing, READ, ROUNDS, ROWS, State, VICTIMS};

const LIMIT: Duration = Duration::from_secs(30);

/// Kills of each kind that must have hit.
const HOLDING: u32 = 60;
const WRITING: u32 = 120;
const READING: u32 = 60;
const WAITING: u32 = 100;
const LOCKING: u32 = 40;

struct Game {
    name: Name,
    stage: SharedMemory,
    a: SharedArray2<u64>,
    rng: Rng,
    bystander: Option<Child>,
    hits: BTreeMap<&'static str, u32>,
}

impl Game {
    fn new(with_bystander: bool) -> Self {
        let (name, stage) = (Name::new("kills"), SharedMemory::create(4096));
        let options = SharedArray2::<u64>::options().name(&*name);
        let a = options.zeros((ROWS, COLUMNS)).expect("room");
        let rng = Rng::of_this_run();
        let mut game = Self { name, stage, a, rng, bystander: None, hits: BTreeMap::new() };
        if with_bystander {
            let role = game.role("bystander");
            game.bystander = Some(role.spawn());
            until("it begins", LIMIT, || game.stage.word(BYSTANDER).load(SeqCst) > 0);
        }
        game
    }

    fn role(&mut self, name: &str) -> Role {
        let role = Role::new(&format!("victim::{name}")).shared(self.stage.file());
        role.arg(&*self.name).arg(self.rng.next())
    }

    /// Starts a victim and waits until it has begun.
    fn victim(&mut self, name: &str) -> Child {
        self.stage.word(ROUNDS).store(0, SeqCst);
        State::of(&self.stage).0.store(0, SeqCst);
        let child = self.role(name).spawn();
        until("the victim begins", LIMIT, || self.stage.word(ROUNDS).load(SeqCst) > 0);
        child
    }

    fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }

    fn hits(&self, what: &str) -> u32 {
        self.hits.get(what).copied().unwrap_or_default()
    }

    fn end(mut self, what: &str) {
        drop(self.bystander.take());
        let all: Vec<_> = self.hits.iter().map(|(what, n)| format!("{n} {what}")).collect();
        println!("  {what}: {}; 0 hangs, 0 in silence", all.join(", "));
    }

    /// Whatever else happened, the rest of the array goes on.
    fn others_go_on(&mut self) {
        let Some(bystander) = &mut self.bystander else { return };
        assert!(bystander.is_running(), "a death elsewhere ended it");
        let before = self.stage.word(BYSTANDER).load(SeqCst);
        until("it goes on", LIMIT, || self.stage.word(BYSTANDER).load(SeqCst) > before);
    }

    /// The rows of the dead are had with its name, just those, until they are cleared as a whole.
    fn poisoned(&mut self, pid: u32, rows: &Range<usize>) {
        let a = &self.a;
        drop(a.claim_mut(..rows.start).expect("before the dead one's rows"));
        drop(a.claim_mut(rows.end..VICTIMS).expect("after the dead one's rows"));
        let poisoned = |part: Range<usize>| match a.claim_mut(part.clone()) {
            Err(ClaimError::Poisoned(p)) => {
                assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(pid), rows.clone()));
                assert!(!only(&p).panicked);
                p.into_inner()
            }
            other => panic!("{part:?} of the dead one's {rows:?}: {other:?}"),
        };
        let row = rows.start + self.rng.below(rows.len() as u64) as usize;
        let whole = rows.len() == 1;
        match a.claim(row..=row) {
            Err(ClaimError::Poisoned(p)) => {
                assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(pid), rows.clone()));
            }
            other => panic!("row {row} of the dead one's {rows:?}: {other:?}"),
        }
        if !whole {
            assert!(!poisoned(row..row + 1).clear_poison().expect("not forked"));
        }
        assert!(poisoned(rows.clone()).clear_poison().expect("not forked"));
        drop(a.claim_mut(..VICTIMS).expect("it was cleared"));
    }

    /// Its claim was made or not, was ended or not: by one store each.
    fn all_or_nothing(&mut self, pid: u32, rows: &Range<usize>) -> bool {
        match self.a.claim_mut(..VICTIMS) {
            Ok(_) => return false,
            Err(ClaimError::Poisoned(p)) => {
                assert_eq!((only(&p).member.pid, only(&p).row_range()), (Some(pid), rows.clone()));
            }
            Err(e) => panic!("{e}"),
        }
        self.poisoned(pid, rows);
        true
    }
}

pub(crate) fn writers_are_killed() {
    let mut game = Game::new(true);
    while game.hits("holding") < HOLDING || game.hits("in mid-write") < WRITING {
        let mut victim = game.victim("writer");
        game.rng.pause(Duration::from_micros(600));
        victim.kill();
        let (doing, rows) = State::of(&game.stage).read();
        let pid = victim.pid();
        match doing {
            Doing::Holding => {
                game.poisoned(pid, &rows);
                game.hit("holding");
            }
            Doing::Writing(written) => {
                let row = |row: usize| {
                    // SAFETY: the one who wrote is dead, and nobody else writes to its rows.
                    unsafe { game.a.view() }.row(row).to_vec()
                };
                for row in rows.clone().take(written).map(row) {
                    assert_eq!(row, [u64::from(pid); COLUMNS], "what it wrote before is there");
                }
                game.poisoned(pid, &rows);
                game.hit("in mid-write");
            }
            Doing::Claiming | Doing::Releasing => {
                let what = match game.all_or_nothing(pid, &rows) {
                    true => "in the call, with the claim",
                    false => "in the call, without",
                };
                game.hit(what);
            }
            Doing::Nothing | Doing::Reading => {
                drop(game.a.claim_mut(..VICTIMS).expect("it had nothing"));
                game.hit("with nothing");
            }
        }
        drop(game.a.claim_mut(VICTIMS..READ).expect("a reader's death leaves nothing"));
        game.others_go_on();
    }
    game.end("writers killed");
}

pub(crate) fn readers_are_killed() {
    let mut game = Game::new(true);
    while game.hits("reading") < READING {
        let mut victim = game.victim("reader");
        game.rng.pause(Duration::from_micros(300));
        victim.kill();
        let doing = State::of(&game.stage).read().0;
        // Other readers are not even told; writers find nothing in their way.
        drop(game.a.claim(..VICTIMS).expect("nobody wrote"));
        drop(game.a.claim_mut(..VICTIMS).expect("a reader's death leaves nothing"));
        game.hit(if doing == Doing::Reading { "reading" } else { "elsewhere" });
        game.others_go_on();
    }
    game.end("readers killed");
}

pub(crate) fn waiters_are_killed() {
    let mut game = Game::new(true);
    while game.hits("waiting") < WAITING || game.hits("just let in") < WAITING / 10 {
        let a = game.a.clone();
        let held = a.claim_mut(..VICTIMS).expect("free");
        let mut victim = game.victim("waiter");
        let let_in = game.rng.chance(30);
        // Before it waits, while it spins, while it sleeps.
        game.rng.pause(Duration::from_millis(2));
        if let_in {
            drop(held);
            game.rng.pause(Duration::from_micros(120));
            victim.kill();
        } else {
            victim.kill();
            assert_eq!(State::of(&game.stage).read().0, Doing::Claiming);
            drop(held);
        }
        let (doing, rows) = State::of(&game.stage).read();
        let pid = victim.pid();
        if let_in {
            // Readers say no rows: nothing is left of them in any case.
            game.all_or_nothing(pid, &rows);
            game.hit(if doing == Doing::Claiming { "just let in" } else { "let in" });
        } else {
            drop(game.a.claim_mut(..VICTIMS).expect("one who waits has nothing"));
            game.hit("waiting");
        }
        game.others_go_on();
    }
    game.end("waiters killed");
}

/// The lock word of the table of claims, as it lies in the file.
pub(crate) fn table_lock(file: &File) -> u64 {
    let len = file.metadata().expect("it has a length").len();
    let mut control = [0; 8];
    file.read_exact_at(&mut control, len - 64 + 32).expect("there is a footer");
    let mut word = [0; 8];
    let at = u64::from_le_bytes(control) + 16384;
    file.read_exact_at(&mut word, at).expect("there is a table of claims");
    u64::from_le_bytes(word)
}

pub(crate) fn holders_of_the_tables_lock_are_killed() {
    const MINE: usize = 128;
    const SURVIVOR: usize = 192;
    let mut game = Game::new(false);
    let file = File::open(game.name.file()).expect("it is there");
    let mut times = Samples::new();
    for alone in [true, false] {
        let survivor = (!alone).then(|| game.role("hammer").arg(SURVIVOR).spawn());
        let enough = |game: &Game| match alone {
            true => game.hits("inside the table's lock") >= LOCKING,
            false => game.hits("beside a survivor") >= LOCKING,
        };
        while !enough(&game) {
            game.stage.word(MINE).store(0, SeqCst);
            let mut victim = game.role("hammer").arg(MINE).spawn();
            let stage = &game.stage;
            until("it hammers", LIMIT, || stage.word(MINE).load(SeqCst) > 3);
            game.rng.pause(Duration::from_micros(500));
            victim.kill();
            let start = Instant::now();
            if alone {
                let inside = table_lock(&file) >> 31 & 1 == 1;
                game.hit(if inside { "inside the table's lock" } else { "outside" });
            } else {
                let before = stage.word(SURVIVOR).load(SeqCst);
                until("the survivor goes on", LIMIT, || {
                    stage.word(SURVIVOR).load(SeqCst) > before + 20
                });
                game.hit("beside a survivor");
            }
            match game.a.write_timeout(LIMIT) {
                Ok(_) => {}
                Err(ClaimError::Poisoned(p)) => {
                    assert_eq!(only(&p).member.pid, Some(victim.pid()));
                    assert!(p.into_inner().clear_poison().expect("not forked"));
                }
                Err(e) => panic!("the table does not work any more: {e}"),
            }
            times.add(start.elapsed());
            thread::yield_now();
        }
        drop(survivor);
        // What the survivor held when it was ended.
        let _ = game.a.write().map_err(|e| e.into_guard().map(|mut g| g.clear_poison()));
        drop(game.a.write().expect("it was cleared"));
    }
    println!("  until the whole array was had after that: {times}");
    game.end("holders of the table's lock killed");
}
