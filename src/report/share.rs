//! Splits a whole among its holders, so that the pieces add up to it exactly.

/// The weight of one clock.
pub const WHOLE: i64 = 1_000_000;

/// Splits `whole` in proportion to `sizes` by the largest remainder; ties go to the earlier one.
///
/// If all sizes are zero, so are all pieces.
pub fn cut(whole: i64, sizes: &[i64]) -> Vec<i64> {
    let total: i128 = sizes.iter().map(|size| i128::from(*size)).sum();
    if total <= 0 {
        return vec![0; sizes.len()];
    }
    let exact = |size: &i64| i128::from(*size) * i128::from(whole);
    let mut pieces: Vec<i64> = sizes.iter().map(|size| (exact(size) / total) as i64).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    // The sort is stable: among equal remainders the earlier comes first.
    order.sort_by_key(|index| std::cmp::Reverse(exact(&sizes[*index]) % total));
    let left = whole - pieces.iter().sum::<i64>();
    for index in order.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        pieces[index] += 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn remainders_go_to_the_largest_and_ties_to_the_earlier() {
        assert_eq!(cut(WHOLE, &[5, 3]), [625_000, 375_000]);
        assert_eq!(cut(WHOLE, &[1, 1, 1]), [333_334, 333_333, 333_333]);
        assert_eq!(cut(10, &[1, 2, 4]), [1, 3, 6]);
        assert_eq!(cut(WHOLE, &[0, 0]), [0, 0]);
        assert_eq!(cut(WHOLE, &[0, 9]), [0, WHOLE]);
    }

    proptest! {
        #[test]
        fn pieces_add_up_and_are_never_a_part_off(sizes in prop::collection::vec(0i64..10_000_000_000, 1..12)) {
            let total: i64 = sizes.iter().sum();
            let pieces = cut(WHOLE, &sizes);
            prop_assert_eq!(pieces.iter().sum::<i64>(), if total > 0 { WHOLE } else { 0 });
            for (piece, size) in pieces.iter().zip(&sizes) {
                let exact = *size as f64 * WHOLE as f64 / total.max(1) as f64;
                prop_assert!((*piece as f64 - exact).abs() < 1.0 + 1e-6);
            }
        }
    }
}
