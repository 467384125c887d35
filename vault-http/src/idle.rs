//! [`Watched`]: a connection that ends when it moves no byte for too long, or when it does not open in time.
//!
//! hyper bounds the head of HTTP/1.1 but neither the wait for the first bytes, by which the protocol is told, nor
//! anything of HTTP/2.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Bytes of HTTP/2's preface: until they are there, or we answered, a drip of bytes does not count as progress.
const OPENING_BYTES: usize = 24;

/// A connection with a deadline that each byte puts off.
pub(crate) struct Watched<S> {
    stream: S,
    idle: Duration,
    /// Bytes that must still come before reading counts as progress.
    opening: usize,
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, opening: Duration, idle: Duration) -> Self {
        let deadline = Instant::now() + opening;
        Self { stream, idle, opening: OPENING_BYTES, deadline, timer: Box::pin(sleep_until(deadline)) }
    }

    fn progressed(&mut self) {
        self.deadline = Instant::now() + self.idle;
    }

    /// Ready once nothing moved for too long. The timer itself is set anew only when it fires.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.deadline {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            let deadline = self.deadline;
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn after_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.opening = 0;
            self.progressed();
            return written;
        }
        self.poll_deadline(cx).map(Err)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_pending() {
            return this.poll_deadline(cx).map(Err);
        }
        this.opening = this.opening.saturating_sub(buf.filled().len() - before);
        if this.opening == 0 {
            this.progressed();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.after_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.after_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() { flushed } else { this.poll_deadline(cx).map(Err) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        if shut.is_ready() { shut } else { this.poll_deadline(cx).map(Err) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const OPENING: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(60);

    async fn read_until_end(mut watched: Watched<tokio::io::DuplexStream>) -> (Duration, io::ErrorKind) {
        let started = Instant::now();
        let error = loop {
            match watched.read_u8().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        (started.elapsed(), error.kind())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_drip_end_with_the_opening() {
        let (_silent, server) = duplex(64);
        let (took, kind) = read_until_end(Watched::new(server, OPENING, IDLE)).await;
        assert_eq!((took.as_secs(), kind), (5, io::ErrorKind::TimedOut));
        let (mut drip, server) = duplex(64);
        tokio::spawn(async move {
            while drip.write_all(b"P").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let (took, kind) = read_until_end(Watched::new(server, OPENING, IDLE)).await;
        assert_eq!((took.as_secs(), kind), (5, io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn progress_puts_the_end_off() {
        let (mut client, server) = duplex(64);
        let mut watched = Watched::new(server, OPENING, IDLE);
        client.write_all(&[0; 24]).await.unwrap();
        watched.read_exact(&mut [0; 24]).await.unwrap();
        tokio::time::advance(Duration::from_secs(50)).await;
        watched.write_all(b"x").await.unwrap();
        let (took, kind) = read_until_end(watched).await;
        assert_eq!((took.as_secs(), kind), (60, io::ErrorKind::TimedOut));
    }
}
