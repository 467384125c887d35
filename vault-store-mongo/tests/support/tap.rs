//! A wire between driver and server that is listened to, and that swallows the answer to one command.

use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Debug, Default)]
struct Wire {
    /// Everything that was asked, over all connections.
    asked: Vec<u8>,
    /// A connection that carries this word is cut as soon as the server answers.
    poison: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tap {
    port: u16,
    wire: Arc<Mutex<Wire>>,
}

impl Tap {
    /// Listens on a free port and leads to `port`, for as long as the runtime lives.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let tap = Self { port: listener.local_addr().unwrap().port(), wire: Arc::default() };
        let shared = tap.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(shared.clone().carry(client, port));
            }
        });
        tap
    }

    /// The server tells the driver where it really listens, and must not be believed.
    pub(crate) fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/tapped?directConnection=true", self.port)
    }

    pub(crate) fn poison(&self, word: Option<&'static str>) {
        self.wire.lock().unwrap().poison = word;
    }

    /// How often a word was said, since the last time it was asked.
    pub(crate) fn heard(&self, words: &[&str]) -> Vec<usize> {
        let asked = std::mem::take(&mut self.wire.lock().unwrap().asked);
        words.iter().map(|word| count(&asked, word)).collect()
    }

    async fn carry(self, mut client: TcpStream, port: u16) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
        let (mut question, mut answer) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut poisoned = false;
        loop {
            tokio::select! {
                Ok(length @ 1..) = client.read(&mut question) => {
                    poisoned |= self.listen(&question[..length]);
                    if server.write_all(&question[..length]).await.is_err() { return }
                }
                Ok(length @ 1..) = server.read(&mut answer) => {
                    if poisoned || client.write_all(&answer[..length]).await.is_err() { return }
                }
                else => return,
            }
        }
    }

    fn listen(&self, bytes: &[u8]) -> bool {
        let mut wire = self.wire.lock().unwrap();
        wire.asked.extend(bytes);
        wire.poison.is_some_and(|word| count(bytes, word) > 0)
    }
}

fn count(bytes: &[u8], word: &str) -> usize {
    bytes.windows(word.len()).filter(|window| *window == word.as_bytes()).count()
}
