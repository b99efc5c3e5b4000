//! Plants one bug after another into a copy of the sources, and has a model look for it.
//!
//! A plant counts as caught when the model that is named for it fails by an assertion, a deadlock or
//! loom's report. One that does not compile, or whose text is not found exactly once, is an error.

mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use table::{PLANTS, Plant};

/// How many plants grow at once.
const GARDENS: usize = 2;

/// A model that takes longer has not caught anything.
const MOST: Duration = Duration::from_secs(300);

type Failed<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let mut names = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--list" => {
                for p in PLANTS {
                    println!("{:<34} {:<26} {}", p.name, p.file, p.model);
                }
                return ExitCode::SUCCESS;
            }
            name if PLANTS.iter().any(|p| p.name == name) => names.push(argument),
            _ => {
                eprintln!("usage: plants [--list] [NAME...]; no plant is called {argument}");
                return ExitCode::from(2);
            }
        }
    }
    match plant_all(&names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(survivors) => {
            eprintln!("{survivors} of the plants survived");
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}

/// How many survived.
fn plant_all(names: &[String]) -> Failed<usize> {
    let chosen = |p: &&Plant| names.is_empty() || names.iter().any(|n| n == p.name);
    let plants: Vec<&Plant> = PLANTS.iter().filter(chosen).collect();
    fit(&plants)?;
    println!("{:<36} {:<18} {:>8}  caught by", "plant", "model", "seconds");
    let (next, survivors) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |garden: usize| -> Failed<()> {
        let garden = Garden::new(garden)?;
        while let Some(plant) = plants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            let caught = garden.plant(plant).map_err(|e| format!("{}: {e}", plant.name))?;
            if caught.is_none() {
                survivors.fetch_add(1, Ordering::Relaxed);
            }
            let by = caught.as_deref().unwrap_or("NOTHING: IT SURVIVED");
            let seconds = start.elapsed().as_secs_f64();
            println!("{:<36} {:<18} {seconds:>8.1}  {by}", plant.name, plant.model);
        }
        Ok(())
    };
    std::thread::scope(|s| {
        let work = &work;
        let gardeners = (0..GARDENS).map(|garden| s.spawn(move || work(garden)));
        let gardeners: Vec<_> = gardeners.collect();
        gardeners.into_iter().try_for_each(|g| g.join().expect("it does not panic"))
    })?;
    println!("{} plants, {} survived", plants.len(), survivors.load(Ordering::Relaxed));
    Ok(survivors.into_inner())
}

/// That each has its place, before any of them is given minutes.
fn fit(plants: &[&Plant]) -> Failed<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sync");
    let misfits = plants.iter().filter_map(|plant| {
        let whole = fs::read_to_string(sources.join(plant.file));
        let planted =
            whole.map_err(Into::into).and_then(|w| replace(&w, plant.text, plant.instead));
        Some(format!("{} ({}): {}", plant.name, plant.file, planted.err()?))
    });
    let misfits: Vec<_> = misfits.collect();
    if misfits.is_empty() { Ok(()) } else { Err(misfits.join("\n").into()) }
}

/// A workspace of the models alone, and of the sources that they include.
struct Garden {
    root: PathBuf,
}

impl Garden {
    fn new(number: usize) -> Failed<Self> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(home.join("target"), PathBuf::from);
        let root = target.join("plants").join(number.to_string());
        let sources = "crates/ndshm-models/src";
        if root.join(sources).exists() {
            fs::remove_dir_all(root.join(sources))?;
        }
        copy(&home.join(sources), &root.join(sources))?;
        for file in
            ["Cargo.lock", "crates/ndshm-models/Cargo.toml", "crates/ndshm-models/README.md"]
        {
            fs::copy(home.join(file), root.join(file))?;
        }
        let manifest = fs::read_to_string(home.join("Cargo.toml"))?;
        let members = r#"members = ["crates/*", "examples", "benches"]"#;
        let manifest = replace(&manifest, members, r#"members = ["crates/ndshm-models"]"#)?;
        fs::write(root.join("Cargo.toml"), manifest)?;
        Ok(Self { root })
    }

    fn build(&self) -> Failed<()> {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--bin", "models"])
            // Unused variables and the like are no news here.
            .env("RUSTFLAGS", "--cap-lints=allow")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .current_dir(&self.root)
            .output()?;
        if built.status.success() {
            return Ok(());
        }
        Err(format!("it does not compile\n{}", String::from_utf8_lossy(&built.stderr)).into())
    }

    /// What caught it.
    fn plant(&self, plant: &Plant) -> Failed<Option<String>> {
        let file = self.root.join("crates/ndshm-models/src/sync").join(plant.file);
        let whole = fs::read_to_string(&file)?;
        fs::write(&file, replace(&whole, plant.text, plant.instead)?)?;
        let caught = self.build().and_then(|()| self.look(plant));
        fs::write(&file, whole)?;
        caught
    }

    fn look(&self, plant: &Plant) -> Failed<Option<String>> {
        let errors = self.root.join("errors");
        let mut child = Command::new(self.root.join("target/release/models"))
            .args((!plant.deep).then_some("--short"))
            .arg(plant.model)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(fs::File::create(&errors)?)
            .spawn()?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > MOST {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let errors = fs::read_to_string(errors)?;
        match status.code() {
            Some(0) => Ok(None),
            Some(101) => Ok(Some(cause(&errors))),
            _ => Err(format!("the model ended with {status}\n{errors}").into()),
        }
    }
}

/// The message of the first panic, in a line.
fn cause(errors: &str) -> String {
    let mut lines = errors.lines().skip_while(|l| !l.contains(" panicked at "));
    let message = lines.by_ref().nth(1).unwrap_or("a panic");
    let message = message.split("; threads").next().unwrap_or(message);
    message.chars().take(70).collect()
}

fn replace(whole: &str, text: &str, instead: &str) -> Failed<String> {
    match whole.matches(text).count() {
        1 => Ok(whole.replacen(text, instead, 1)),
        n => Err(format!("this text is there {n} times, not once:\n{text}").into()),
    }
}

fn copy(from: &Path, to: &Path) -> Failed<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
