//! What a turn has spent, as far as the CLI's lines say: tokens per message while it runs, sums
//! and the running total of cost on each `result`. A result that ends well counts as it is; one
//! of a turn that was stopped or failed leaves out what it broke off, and a CLI that was killed
//! sends none: then the messages heard count. What nobody told is not guessed.

use crate::claude::lines::Ended;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ops::Add;
use wire::chat::Usage;

/// Tokens of one message, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write: i64,
}

impl Tokens {
    /// Of a `usage` object; what is missing counts for nothing.
    pub(crate) fn read(usage: &Map<String, Value>) -> Tokens {
        let of = |name: &str| usage.get(name).and_then(Value::as_f64).unwrap_or_default() as i64;
        Tokens {
            input: of("input_tokens"),
            output: of("output_tokens"),
            cache_read: of("cache_read_input_tokens"),
            cache_write: of("cache_creation_input_tokens"),
        }
    }

    /// Two counts of the same thing, of which each may be early.
    fn most(self, other: Tokens) -> Tokens {
        Tokens {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
        }
    }
}

impl Add for Tokens {
    type Output = Tokens;

    fn add(self, other: Tokens) -> Tokens {
        Tokens {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
        }
    }
}

/// What one turn has spent so far.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    /// Of results.
    settled: Tokens,
    /// Of messages since the last result, by their ids.
    open: HashMap<String, Tokens>,
    /// The CLI's running total, as it last told it.
    total_cost_usd: Option<f64>,
    /// That total before this turn, where it is known.
    cost_before: Option<f64>,
}

impl Spent {
    /// Of a turn before which the CLI's total was this.
    pub(crate) fn since(cost_before: Option<f64>) -> Spent {
        Spent { cost_before, ..Spent::default() }
    }

    /// A message says what it has come to; it may say so many times.
    pub(crate) fn heard(&mut self, message: &str, tokens: Tokens) {
        let known = self.open.entry(message.to_owned()).or_default();
        *known = known.most(tokens);
    }

    /// A result is counted.
    pub(crate) fn settle(&mut self, ended: &Ended) {
        let broken = ended.is_error || ended.reason.starts_with("aborted");
        let heard = std::mem::take(&mut self.open).into_values().fold(Tokens::default(), Add::add);
        let counted = if broken { ended.tokens.most(heard) } else { ended.tokens };
        self.settled = self.settled + counted;
        self.total_cost_usd = ended.total_cost_usd.or(self.total_cost_usd);
    }

    /// The CLI's total after this turn. Where it has not told one, what it was before: the next
    /// turn's difference then has in it what this one cost.
    pub(crate) fn total_cost(&self) -> Option<f64> {
        self.total_cost_usd.or(self.cost_before)
    }

    /// In the words of the wire.
    pub(crate) fn usage(&self) -> Usage {
        let all = self.open.values().copied().fold(self.settled, Add::add);
        Usage {
            input_tokens: all.input,
            output_tokens: all.output,
            cache_read_tokens: all.cache_read,
            cache_write_tokens: all.cache_write,
            cost_usd: cost(self.cost_before, self.total_cost_usd),
            total_cost_usd: self.total_cost(),
        }
    }
}

/// What a turn cost: the CLI only tells a running total, also across resumes.
fn cost(before: Option<f64>, now: Option<f64>) -> Option<f64> {
    match (before, now?) {
        // A smaller total means that the CLI began to count anew.
        (Some(before), now) if now >= before => Some(now - before),
        (Some(_), now) => Some(now),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(input: i64, output: i64) -> Tokens {
        Tokens { input, output, ..Tokens::default() }
    }

    fn ended(reason: &str, tokens: Tokens, total: f64) -> Ended {
        Ended { reason: reason.into(), tokens, total_cost_usd: Some(total), ..Ended::default() }
    }

    #[test]
    fn what_was_broken_off_counts_as_far_as_it_was_heard() {
        let mut spent = Spent::since(Some(1.0));
        spent.heard("a", tokens(2838, 1));
        spent.heard("a", tokens(2838, 7));
        // Killed here, this would be all that is known.
        assert_eq!((spent.usage().output_tokens, spent.usage().cost_usd), (7, None));
        assert_eq!(spent.total_cost(), Some(1.0));
        spent.settle(&ended("aborted_streaming", tokens(0, 0), 1.5));
        let usage = spent.usage();
        assert_eq!((usage.input_tokens, usage.output_tokens), (2838, 7));
        assert_eq!((usage.cost_usd, usage.total_cost_usd), (Some(0.5), Some(1.5)));
    }

    proptest! {
        #[test]
        fn a_result_that_ends_well_counts_as_it_is(
            heard in prop::collection::vec(("[ab]", 0i64..900, 0i64..900), 0..9),
            input in 0i64..900, output in 0i64..900,
        ) {
            let mut spent = Spent::since(None);
            for (message, input, output) in heard {
                spent.heard(&message, tokens(input, output));
            }
            spent.settle(&ended("completed", tokens(input, output), 2.0));
            let usage = spent.usage();
            prop_assert_eq!((usage.input_tokens, usage.output_tokens), (input, output));
            prop_assert_eq!((usage.cost_usd, usage.total_cost_usd), (None, Some(2.0)));
        }
    }
}
