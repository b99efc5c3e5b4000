//! Constants of the library: kinds of elements, and how they are combined.

use mpi::ffi::{self, MPI_Datatype, MPI_Op};

macro_rules! constants {
    ($($name:ident: $kind:ty = $constant:ident),+ $(,)?) => {$(
        pub(crate) fn $name() -> $kind {
            // SAFETY: reading a constant of the library.
            unsafe { ffi::$constant }
        }
    )+};
}

constants! {
    i8: MPI_Datatype = RSMPI_INT8_T,
    i16: MPI_Datatype = RSMPI_INT16_T,
    i32: MPI_Datatype = RSMPI_INT32_T,
    i64: MPI_Datatype = RSMPI_INT64_T,
    u8: MPI_Datatype = RSMPI_UINT8_T,
    u16: MPI_Datatype = RSMPI_UINT16_T,
    u32: MPI_Datatype = RSMPI_UINT32_T,
    u64: MPI_Datatype = RSMPI_UINT64_T,
    f32: MPI_Datatype = RSMPI_FLOAT,
    f64: MPI_Datatype = RSMPI_DOUBLE,
    c32: MPI_Datatype = RSMPI_FLOAT_COMPLEX,
    c64: MPI_Datatype = RSMPI_DOUBLE_COMPLEX,
    sum: MPI_Op = RSMPI_SUM,
    product: MPI_Op = RSMPI_PROD,
    least: MPI_Op = RSMPI_MIN,
    greatest: MPI_Op = RSMPI_MAX,
}
