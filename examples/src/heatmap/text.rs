//! Text in the one embedded font, measured and placed by its baseline.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor};

use super::PlotError;

/// DejaVu Sans, a subset; `assets/README.md` says how it was made and under which licence it is.
static DEJAVU_SANS: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

/// The name under which plotters knows the font.
const FAMILY: &str = "ndshm-dejavu-sans";

/// Height of a line over the em: plotters takes its sizes as line heights, here sizes are ems, as typographers do.
const LINE_HEIGHT: f64 = (1901.0 + 483.0) / 2048.0;

/// Height of capital letters and digits over the em.
pub(super) const CAP_HEIGHT: f64 = 1493.0 / 2048.0;

/// Where text lies relative to its position, along its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Pixels of one em.
    pub(super) size: f64,
    pub(super) colour: RGBColor,
    pub(super) align: Align,
}

/// Proof that the font is registered.
#[derive(Clone, Copy)]
pub(super) struct Font(());

impl Font {
    pub(super) fn embedded() -> Result<Self, PlotError> {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        let register =
            || plotters::style::register_font(FAMILY, FontStyle::Normal, DEJAVU_SANS).is_ok();
        match REGISTERED.get_or_init(register) {
            true => Ok(Self(())),
            false => Err(PlotError::Draw("the embedded font cannot be used".into())),
        }
    }

    /// The font at a size of `em` pixels, as plotters wants it, and where plotters puts its baseline below a position.
    pub(super) fn at(self, em: f64) -> (FontDesc<'static>, f64) {
        let size = em * LINE_HEIGHT;
        (FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal), size / 2.0)
    }

    /// Width of `text` at a size of `em` pixels.
    pub(super) fn width(self, em: f64, text: &str) -> f64 {
        // plotters rounds to whole pixels, so measure large.
        const LARGE: f64 = 1000.0;
        let (font, _) = self.at(LARGE);
        font.box_size(text).map_or(0.0, |(width, _)| f64::from(width) * em / LARGE)
    }

    /// `text` on one line and at most `room` pixels wide, the end replaced by an ellipsis where it has to be.
    pub(super) fn shortened(self, em: f64, text: &str, room: f64) -> String {
        // More characters than this fit nowhere, and measuring them takes its time.
        const MOST: usize = 200;
        let text = text.trim();
        let clean: String =
            text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().nth(MOST).is_none() && self.width(em, &clean) <= room {
            return clean;
        }
        let mut kept = clean;
        while kept.pop().is_some() {
            let candidate = format!("{}…", kept.trim_end());
            if self.width(em, &candidate) <= room {
                return candidate;
            }
        }
        "…".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_grow_with_text_and_size() -> Result<(), PlotError> {
        let font = Font::embedded()?;
        assert!(font.width(12.0, "ii") < font.width(12.0, "mm"));
        assert!((font.width(24.0, "abc") - 2.0 * font.width(12.0, "abc")).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn long_text_is_shortened_to_fit() -> Result<(), PlotError> {
        let font = Font::embedded()?;
        let long = "a label\nof several words, longer than there is room for";
        let short = font.shortened(12.0, long, 100.0);
        assert!(short.ends_with('…') && short.starts_with("a label of"), "{short}");
        assert!(font.width(12.0, &short) <= 100.0);
        assert_eq!(font.shortened(12.0, "ash", 100.0), "ash");
        assert_eq!(font.shortened(12.0, long, 0.0), "…");
        Ok(())
    }
}
