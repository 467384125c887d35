//! [`Proxy`]: a wire that can be cut, stalled, and led elsewhere, between a client and a server on this machine.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// How often a pump looks whether something has changed.
const LOOK: Duration = Duration::from_millis(10);

/// What the wire does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Carries everything.
    #[default]
    Whole,
    /// Lets nobody in, and is cut for who was in.
    Cut,
    /// Carries nothing, and says nothing.
    Stalled,
    /// Carries what is asked, and swallows the answers.
    Deaf,
    /// Carries what is asked, and is cut when the answer comes: it was done, and nobody knows.
    CutAtAnswer,
    /// Is cut in the middle of what is asked next: it was not done.
    CutAtRequest,
}

/// A listener that hands everything on.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    wire: Mutex<Wire>,
    /// Raised to cut every connection.
    era: AtomicU64,
    /// Questions that followed an answer, or were the first.
    turns: AtomicU64,
}

impl Proxy {
    /// Listens on a free port and leads to `target`.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound listener");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            wire: Mutex::default(),
            era: AtomicU64::new(0),
            turns: AtomicU64::new(0),
        });
        let inner = Arc::clone(&shared);
        thread::spawn(move || listener.incoming().flatten().for_each(|client| inner.serve(&client)));
        Self { address, shared }
    }

    /// To a port of 127.0.0.1.
    pub fn to_port(port: u16) -> Self {
        Self::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// The port to connect to, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what the wire does, for connections that are open and for new ones.
    pub fn set(&self, wire: Wire) {
        *self.shared.wire.lock().unwrap() = wire;
        if wire == Wire::Cut {
            self.cut();
        }
    }

    /// Cuts every connection; new ones are let in as before.
    pub fn cut(&self) {
        self.shared.era.fetch_add(1, SeqCst);
    }

    /// Leads new connections elsewhere, as an address does that follows a primary, and cuts the old ones.
    pub fn lead_to_port(&self, port: u16) {
        *self.shared.target.lock().unwrap() = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.cut();
    }

    /// Round trips so far: questions, by whoever asked, each of which waited for its answer.
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(SeqCst)
    }
}

impl Shared {
    fn wire(&self) -> Wire {
        *self.wire.lock().unwrap()
    }

    fn serve(self: &Arc<Self>, client: &TcpStream) {
        let target = *self.target.lock().unwrap();
        if self.wire() == Wire::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(target) else { return };
        let answered = Arc::new(AtomicBool::new(true));
        let era = self.era.load(SeqCst);
        for (from, to, asks) in [(client, &server, true), (&server, client, false)] {
            let pipe = Pipe {
                shared: Arc::clone(self),
                from: from.try_clone().expect("a socket can be shared"),
                to: to.try_clone().expect("a socket can be shared"),
                asks,
                answered: Arc::clone(&answered),
                era,
            };
            thread::spawn(move || pipe.pump());
        }
    }
}

/// One direction of a connection.
struct Pipe {
    shared: Arc<Shared>,
    from: TcpStream,
    to: TcpStream,
    asks: bool,
    answered: Arc<AtomicBool>,
    era: u64,
}

impl Pipe {
    fn pump(mut self) {
        _ = self.from.set_nodelay(true);
        _ = self.from.set_read_timeout(Some(LOOK));
        let mut buffer = vec![0; 64 * 1024];
        while self.shared.era.load(SeqCst) == self.era {
            let length = match self.from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            if !self.carry(&buffer[..length]) {
                break;
            }
        }
        _ = self.from.shutdown(Shutdown::Both);
        _ = self.to.shutdown(Shutdown::Both);
    }

    /// `false`: the connection is over.
    fn carry(&mut self, bytes: &[u8]) -> bool {
        while self.shared.wire() == Wire::Stalled {
            if self.shared.era.load(SeqCst) != self.era {
                return false;
            }
            thread::sleep(LOOK);
        }
        let turn = self.answered.swap(!self.asks, SeqCst);
        if self.asks && turn {
            self.shared.turns.fetch_add(1, SeqCst);
        }
        match (self.shared.wire(), self.asks) {
            (Wire::Deaf, false) => true,
            (Wire::Cut, _) | (Wire::CutAtAnswer, false) => false,
            (Wire::CutAtRequest, true) => {
                _ = self.to.write_all(&bytes[..bytes.len() / 2]);
                false
            }
            _ => self.to.write_all(bytes).is_ok(),
        }
    }
}
