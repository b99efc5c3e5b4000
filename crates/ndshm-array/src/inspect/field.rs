//! The single numbers that an element is made of, by name.

use super::error::PickError;
use crate::npy::Dtype;

/// So many are named where one has to be chosen.
const NAMED: usize = 12;

/// Where in an element the number of that name lies, and its type; of an element that is one number, the empty name.
pub(super) fn find<'a>(whole: &'a Dtype, path: &str) -> Result<(usize, &'a Dtype), PickError> {
    let (mut offset, mut dtype) = (0, whole);
    let parts = path.split('.').filter(|_| !path.is_empty());
    for part in parts {
        let inner = match dtype {
            Dtype::Struct(structure) => structure.field(part).map(|f| (f.offset(), f.dtype())),
            Dtype::Array(array) => {
                let element = array.element();
                let index = part.parse().ok().filter(|&i: &usize| i < array.len());
                index.map(|i| (i * element.size(), element))
            }
            _ => None,
        };
        let Some((at, inner)) = inner else {
            return Err(PickError::NoField { asked: path.to_owned(), fields: names(whole) });
        };
        (offset, dtype) = (offset + at, inner);
    }
    match dtype.is_plain() {
        true => Ok((offset, dtype)),
        false => Err(PickError::NotANumber { fields: names(whole) }),
    }
}

/// What can be asked for, or the first of it.
fn names(dtype: &Dtype) -> String {
    if dtype.is_plain() {
        return "one number an element".to_owned();
    }
    let mut names = Vec::new();
    collect(dtype, "", &mut names);
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("...".to_owned());
    }
    names.join(", ")
}

fn collect(dtype: &Dtype, path: &str, names: &mut Vec<String>) {
    let below = |part: &str| match path {
        "" => part.to_owned(),
        path => format!("{path}.{part}"),
    };
    match dtype {
        _ if names.len() > NAMED => {}
        Dtype::Struct(structure) => {
            for field in structure.fields() {
                collect(field.dtype(), &below(field.name()), names);
            }
        }
        Dtype::Array(array) => {
            for i in 0..array.len().min(NAMED + 1) {
                collect(array.element(), &below(&i.to_string()), names);
            }
        }
        _ => names.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let dtype =
            "[('x', '<f8'), ('m', [('a', '<i4'), ('', '|V4'), ('b', '<u2', (2, 3))], (2,))]";
        let dtype = Dtype::from_descr(dtype).unwrap();
        assert_eq!(find(&dtype, "x"), Ok((0, &Dtype::F64)));
        assert_eq!(find(&dtype, "m.1.a"), Ok((28, &Dtype::I32)));
        assert_eq!(find(&dtype, "m.0.b.1.2"), Ok((8 + 8 + 10, &Dtype::U16)));
        assert_eq!(find(&Dtype::F32, ""), Ok((0, &Dtype::F32)));
        for path in ["y", "m.2.a", "m.0.b.1.3", "x.0", "x.", ".", "m.-1", "m..a"] {
            let error = find(&dtype, path).unwrap_err();
            assert!(matches!(error, PickError::NoField { .. }), "{path}: {error}");
        }
        let error = find(&Dtype::F32, "x").unwrap_err().to_string();
        assert_eq!(error, "there is no field x; what there is: one number an element");
        let some = "x, m.0.a, m.0.b.0.0, m.0.b.0.1, m.0.b.0.2, m.0.b.1.0, m.0.b.1.1, m.0.b.1.2, \
                    m.1.a, m.1.b.0.0, m.1.b.0.1, m.1.b.0.2, ...";
        for path in ["", "m", "m.0", "m.0.b"] {
            let fields = some.to_owned();
            assert_eq!(find(&dtype, path), Err(PickError::NotANumber { fields }));
        }
        let huge = Dtype::from_descr("[('x', '<f8', (1000000, 1000000))]").unwrap();
        assert!(find(&huge, "").unwrap_err().to_string().ends_with("x.0.11, ..."));
    }
}
