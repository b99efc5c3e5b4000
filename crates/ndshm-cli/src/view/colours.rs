//! Colours: from dark violet over green to yellow, and one that is none of them for NaN.

use super::grid::Shade;

/// Eleven anchors of "viridis" (Nathaniel Smith and Stéfan van der Walt, CC0), as in Matplotlib.
const ANCHORS: [[u8; 3]; 11] = [
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];

pub(super) const NAN: [u8; 3] = [255, 0, 160];

pub(super) fn of(shade: Shade) -> [u8; 3] {
    let Shade::Value(value) = shade else { return NAN };
    let position = value.clamp(0.0, 1.0) * (ANCHORS.len() - 1) as f64;
    let below = (position as usize).min(ANCHORS.len() - 2);
    let share = position - below as f64;
    let mix = |channel: usize| {
        let [from, to] = [below, below + 1].map(|anchor| f64::from(ANCHORS[anchor][channel]));
        (from + (to - from) * share).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// The nearest of the 216 colours of xterm's cube.
pub(super) fn palette([red, green, blue]: [u8; 3]) -> u8 {
    let level = |channel: u8| match channel {
        0..48 => 0,
        48..115 => 1,
        _ => (channel - 35) / 40,
    };
    16 + 36 * level(red) + 6 * level(green) + level(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_nan_are_told_apart() {
        assert_eq!(of(Shade::Value(0.0)), ANCHORS[0]);
        assert_eq!(of(Shade::Value(1.0)), ANCHORS[10]);
        assert_eq!(of(Shade::Nan), NAN);
        assert_eq!(palette([0, 0, 0]), 16);
        assert_eq!(palette([255, 255, 255]), 231);
        let nan = palette(NAN);
        assert!((0..=100).all(|p| palette(of(Shade::Value(f64::from(p) / 100.0))) != nan));
    }
}
