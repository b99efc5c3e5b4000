//! Colours: a diverging map centred at 0, and ink that can be read on it.

use plotters::style::RGBColor;

/// The background.
pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Text.
pub(super) const INK: RGBColor = RGBColor(38, 38, 38);
/// Tick marks.
pub(super) const FAINT: RGBColor = RGBColor(130, 130, 130);
/// Cells without a value.
pub(super) const NAN: RGBColor = RGBColor(176, 176, 176);

/// The eleven anchors of ColorBrewer's "RdBu" (Cynthia Brewer, Mark Harrower, The Pennsylvania State University;
/// Apache License 2.0), from blue to red, as in Matplotlib's "RdBu_r".
const ANCHORS: [[u8; 3]; 11] = [
    [5, 48, 97],
    [33, 102, 172],
    [67, 147, 195],
    [146, 197, 222],
    [209, 229, 240],
    [247, 247, 247],
    [253, 219, 199],
    [244, 165, 130],
    [214, 96, 77],
    [178, 24, 43],
    [103, 0, 31],
];

/// The colour of a value: from blue at -1 over white at 0 to red at 1, grey for NaN. Values beyond are drawn as the ends.
pub(super) fn of_value(value: f64) -> RGBColor {
    if value.is_nan() {
        return NAN;
    }
    let position = (value.clamp(-1.0, 1.0) + 1.0) / 2.0 * (ANCHORS.len() - 1) as f64;
    let below = (position as usize).min(ANCHORS.len() - 2);
    let share = position - below as f64;
    let mix = |channel: usize| {
        let [from, to] = [below, below + 1].map(|anchor| f64::from(ANCHORS[anchor][channel]));
        (from + (to - from) * share).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}

/// Dark or white ink, whichever has more contrast on `background` (WCAG relative luminance).
pub(super) fn ink_on(background: RGBColor) -> RGBColor {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    let luminance =
        |RGBColor(r, g, b): RGBColor| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let contrast_with_white = 1.05 / (luminance(background) + 0.05);
    let contrast_with_ink = (luminance(background) + 0.05) / (luminance(INK) + 0.05);
    if contrast_with_white > contrast_with_ink { PAPER } else { INK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_centred_and_clamped() {
        assert_eq!(of_value(0.0), RGBColor(247, 247, 247));
        assert_eq!(of_value(-1.0), RGBColor(5, 48, 97));
        assert_eq!(of_value(1.0), RGBColor(103, 0, 31));
        assert_eq!(of_value(1.0 + 1e-9), of_value(1.0));
        assert_eq!(of_value(f64::NEG_INFINITY), of_value(-1.0));
        assert_eq!(of_value(f64::NAN), NAN);
    }

    #[test]
    fn ink_contrasts() {
        assert_eq!(ink_on(of_value(1.0)), PAPER);
        assert_eq!(ink_on(of_value(-1.0)), PAPER);
        assert_eq!(ink_on(of_value(0.0)), INK);
        assert_eq!(ink_on(NAN), INK);
    }
}
