//! Arrays in shared memory, under MPI.
mod dist;
mod error;
mod grid;
mod init;
mod make;
mod node_array;
mod nodes;
mod sys;

pub use dist::{DistArray, DistArrayOptions, HaloRequest};
pub use error::{Error, Result};
pub use init::init;
pub use node_array::{NodeArray, NodeArrayOptions};
pub use nodes::{Nodes, NodesOptions};
