//! Arrays in shared memory under MPI: one copy per node, which all local ranks, and programs outside of MPI, use in place.
//!
//! MPI takes messages from node to node; within a node, ranks share memory through [`SharedArray`](ndshm_array::SharedArray). What
//! is sent goes from mapping to mapping, without copies in between, once a node, and while it is under way a claim keeps others from it.
//!
//! # Index
//!
//! - [`init`]: MPI for programs whose main thread calls it. [`Nodes`], [`NodesOptions`]: which ranks share memory.
//! - [`NodeArray`], [`NodeArrayOptions`]: one copy per node: a table, a model.
//! - [`DistArray`], [`DistArrayOptions`]: one array over all nodes, a block on each; halos ([`HaloRequest`] while they are under way), gather and
//!   scatter, other divisions, `.npy` files.
//! - [`Reduction`]: arrays of all ranks combined; [`Nodes::allreduce`]: single values. [`Sum`], [`Product`], [`Min`], [`Max`]; [`Op`], [`Number`].
//! - [`rank_variables`], [`Processors`]: what to know before a rank starts processes or threads.
//! - [`Error`], [`Result`]. [`mpi`], [`ndshm_array`]: the crates that this one goes with.
//!
//! ```no_run
//! use ndarray::Ix2;
//! use ndshm_mpi::{DistArray, Nodes, Sum};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let universe = ndshm_mpi::init()?; // MPI ends when it is dropped
//!     let nodes = Nodes::new(&universe.world())?;
//!     let options = DistArray::<f64, Ix2>::options(&nodes).halo([1, 1]);
//!     let (now, next) = (options.zeros((1000, 1000))?, options.zeros((1000, 1000))?);
//!     now.fill_with_index(|(i, j)| (i * j) as f64)?; // each rank its band
//!     now.exchange()?; // margins from the neighbours' memory
//!     {
//!         let (now, mut next) = (now.claim_stencil()?, next.claim_band_mut()?);
//!         for ((i, j), x) in next.indexed_iter_mut() {
//!             *x = (now[[i, j + 1]] + now[[i + 2, j + 1]] + now[[i + 1, j]] + now[[i + 1, j + 2]]) / 4.0;
//!         }
//!     } // here the claims end: nobody may hold one in what is collective
//!     let heat = next.allreduce(Sum)?;
//!     if nodes.rank() == 0 {
//!         println!("{heat}");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Who waits for whom
//!
//! Ranks of a node meet at a barrier in shared memory: they sleep there, so that a leader at work has the processor, and it breaks, with an error
//! that names the dead, when one of them dies. Leaders meet by messages. All waits end: the [time-out](NodesOptions::timeout) is for one step of
//! which nothing comes, a message or a piece of 64 MiB. Ranks of one's own node are waited for one time-out, other nodes two, so that
//! a node tells itself who is missing; ranks that wait for their leader, or for those who move parts of arrays, wait for some more than these
//! may need, one for each message. Making memory (with prefault, too), and each rank's part of a file, are one step. A claim is
//! given up after a quarter of the time-out within an operation, so that others get its error. What MPI still holds after a
//! time-out is never reused or unmapped.
//!
//! # Who is told what
//!
//! A collective operation that fails at one rank fails at all that take part in it: by [`Error::Rank`], which says who failed and how. (Halos are exchanged
//! among neighbours alone, and so are errors of that: [`Error::Neighbour`].) The next operation begins anew.
//!
//! Not so after [`Error::TimedOut`], [`Error::Mpi`] and [`Error::Lost`]: ranks may be in different operations then, and one that came late may have
//! succeeded in its own. These nodes are broken for good: every later operation returns [`Error::Broken`] before it sends anything, where it would
//! not fail by itself, and those who wait for this rank time out in their turn. Best is to end the job: `world.abort(1)`, since MPI
//! waits at its end for who does not come. A rank that *panics*, or returns, while others wait for it breaks their barrier; MPI then ends the
//! job, as launchers do.
//!
//! What is not collective (a claim, say) fails at one rank alone. Have all of them told before the next collective operation, by
//! [`Nodes::agree`]; else they wait in it for one that has returned.
//!
//! Roots that differ from rank to rank, and operations in another order, are not detected: they end by a time-out, or in wrong results.
//!
//! # What is left behind
//!
//! Nothing: memory is anonymous, and goes with the last process that has it, however that ends. Arrays that were given a name leave it where their
//! leader is killed, until `ndshm gc` or the next leader that makes that name removes it.
//!
//! # Costs
//!
//! | | within a node | between nodes |
//! |---|---|---|
//! | barrier, agreement | a meeting, two of them | one number to all leaders |
//! | [`NodeArray::broadcast`] | two to six meetings, no copy | the array once, by a tree of leaders |
//! | [`DistArray::exchange`] | two meetings | halos to neighbours, once |
//! | [`Nodes::allreduce`] | two or three meetings | one element a leader |
//! | [`Reduction::allreduce`] | each contribution read once, the result written once, by all ranks in parallel | the array once a leader |
//! | [`DistArray::gather`], [`scatter`](DistArray::scatter), [`assign`](DistArray::assign) | as between nodes | each element once |

mod dist;
mod error;
mod grid;
mod init;
mod make;
mod node_array;
mod nodes;
mod op;
mod rank_environment;
mod reduction;
mod sys;

pub use dist::{DistArray, DistArrayOptions, HaloRequest};
pub use error::{Error, Result};
pub use init::init;
pub use mpi;
pub use ndshm_array;
pub use node_array::{NodeArray, NodeArrayOptions};
pub use nodes::{Nodes, NodesOptions};
pub use op::{Max, Min, Number, Op, Product, Sum};
pub use rank_environment::{Processors, rank_variables};
pub use reduction::Reduction;

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
