//! Every bound of an HTTP server of ours, in one place.

use std::time::Duration;

/// Bounds of one program's server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// A request's line and headers.
    pub head_bytes_max: usize,
    /// For a whole head to arrive, and for the next request of a kept connection.
    pub head_seconds_max: u64,
    /// A request's body.
    pub body_bytes_max: usize,
    /// For a whole body to arrive.
    pub body_seconds_max: u64,
    /// The same at the few doors that take files in JSON: five recordings of ten minutes are
    /// 130 MiB, and a telephone needs its time to send them.
    pub large_body_bytes_max: usize,
    /// For such a one to arrive.
    pub large_body_seconds_max: u64,
    /// A body that is read as it comes, and that is kept on disk meanwhile.
    pub flow_bytes_max: u64,
    /// For such a one to arrive; silent it may be as long as another takes as a whole.
    pub flow_seconds_max: u64,
    /// From a whole body's time on, it has to have come at least so fast.
    pub flow_bytes_per_second_min: u64,
    /// Of a form, so much may come before the file.
    pub form_head_bytes_max: usize,
    /// Of a body that is refused for its size, this much is read and dropped so that the
    /// sender gets to see the answer.
    pub refused_body_bytes_max: usize,
    /// Of what does not fit in a request, so much is shown in the answer.
    pub echo_bytes_max: usize,
    /// Pieces of a live stream that wait for a reader.
    pub feed_pieces_max: usize,
    /// A client that takes nothing for so long is cut; a stream can be resumed.
    pub feed_stalled_seconds_max: u64,
    /// Silence on a live stream before a comment is sent.
    pub feed_silence_seconds_max: u64,
    /// For the first piece of a stream to go out although a stop was asked for: a client that
    /// has had nothing cannot take its stream up again.
    pub first_piece_seconds_max: u64,
    /// For requests under way to end after a stop was asked for.
    pub goodbye_seconds_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 512,
            head_bytes_max: 64 * 1024,
            head_seconds_max: 20,
            body_bytes_max: 32 * 1024 * 1024,
            body_seconds_max: 60,
            large_body_bytes_max: 160 * 1024 * 1024,
            large_body_seconds_max: 120,
            flow_bytes_max: 4 << 30,
            flow_seconds_max: 3600,
            flow_bytes_per_second_min: 16 * 1024,
            form_head_bytes_max: 64 * 1024,
            refused_body_bytes_max: 256 * 1024 * 1024,
            echo_bytes_max: 1024,
            feed_pieces_max: 8,
            feed_stalled_seconds_max: 60,
            feed_silence_seconds_max: 15,
            first_piece_seconds_max: 4,
            goodbye_seconds_max: 10,
        }
    }
}

impl Limits {
    pub(crate) fn stalled_time(&self) -> Duration {
        Duration::from_secs(self.feed_stalled_seconds_max)
    }

    pub(crate) fn head_time(&self) -> Duration {
        Duration::from_secs(self.head_seconds_max)
    }
}
