//! Lines of a file, of which none is held that is too long.

use memchr::memchr;
use std::io::{self, BufRead, ErrorKind};

/// Shows each line without its end, a last one without end too; one longer than `max` is passed
/// over. How many those were.
///
/// # Errors
/// What the system says.
pub fn each(mut from: impl BufRead, max: usize, mut show: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut line = Vec::new();
    let (mut is_over, mut over) = (false, 0);
    loop {
        let ready = match from.fill_buf() {
            Ok(ready) => ready,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let found = memchr(b'\n', ready);
        let piece = &ready[..found.unwrap_or(ready.len())];
        is_over |= line.len() + piece.len() > max;
        if !is_over {
            line.extend_from_slice(piece);
        }
        let (is_end, taken) = (ready.is_empty(), piece.len() + usize::from(found.is_some()));
        if is_end || found.is_some() {
            if is_over {
                over += 1;
            } else if !line.is_empty() {
                show(&line);
            }
            line.clear();
            line.shrink_to(1 << 20);
            is_over = false;
        }
        if is_end {
            return Ok(over);
        }
        from.consume(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::each;
    use proptest::prelude::*;
    use std::io::BufReader;

    fn lines(bytes: &[u8], size: usize, max: usize) -> (Vec<Vec<u8>>, u64) {
        let mut all = Vec::new();
        let read = BufReader::with_capacity(size, bytes);
        let over = each(read, max, |line| all.push(line.to_owned())).expect("read");
        (all, over)
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_whole() {
        let (all, over) = lines(b"ab\n\nabcdef\ncd\nabcdefghi", 4, 3);
        assert_eq!((all, over), (vec![b"ab".to_vec(), b"cd".to_vec()], 2));
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_are_read(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            size in 1..40_usize, max in 0..20_usize,
        ) {
            let split = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
            let (fit, over): (Vec<&[u8]>, Vec<&[u8]>) = split.partition(|l| l.len() <= max);
            let (all, passed) = lines(&bytes, size, max);
            prop_assert_eq!(all, fit);
            prop_assert_eq!(passed, over.len() as u64);
        }
    }
}
