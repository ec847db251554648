//! The generalized Pareto law of excesses over a high threshold (Pickands 1975).

/// Law of an excess `y ≥ 0`: `P(Y > y) = (1 + shape·y/scale)^(-1/shape)`, exponential when the shape is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gpd {
    /// Tail index: above 0 heavy, 0 exponential, below 0 a finite end.
    pub(crate) shape: f64,
    /// Scale in the unit of the data, positive.
    pub(crate) scale: f64,
}

impl Gpd {
    /// `P(Y > y)`; 1 for `y ≤ 0`, 0 beyond a finite end.
    #[inline]
    pub(crate) fn survival(&self, y: f64) -> f64 {
        if y <= 0.0 {
            return 1.0;
        }
        let scaled = y / self.scale;
        if self.shape.abs() < 1e-9 {
            return (-scaled).exp();
        }
        let base = 1.0 + self.shape * scaled;
        if base <= 0.0 { 0.0 } else { base.powf(-1.0 / self.shape) }
    }

    /// The excess that is passed with probability `p`, the inverse of [`Gpd::survival`].
    #[cfg(test)]
    pub(crate) fn excess_at(&self, p: f64) -> f64 {
        let p = p.clamp(f64::MIN_POSITIVE, 1.0);
        if self.shape.abs() < 1e-9 {
            return -self.scale * p.ln();
        }
        self.scale / self.shape * (p.powf(-self.shape) - 1.0)
    }
}
