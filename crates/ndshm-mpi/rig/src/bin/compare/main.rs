mod constants;
use mpi::traits::*;
fn main() {
    let universe = mpi::initialize().unwrap();
    let world = universe.world();
    for (b, p) in [("local", (0, 1)), ("far", (0, 2))] {
        if p.1 < world.size() {
        if let Some(l) = constants::link(&world, b, p) { println!("{}", serde_json::to_string(&l).unwrap()); }
        world.barrier();
        }
    }
}
