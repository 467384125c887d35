//! [`Server`]: connections, TLS, limits and drain around a [`Router`]. Bind first with [`bind`], serve when the
//! vault is ready: until then clients wait in the kernel's queue instead of being refused.

use crate::{
    address::{
        Peer,
        proxy_protocol::{self, Said, Unheard},
    },
    idle::Watched,
    limits::Limits,
    tls::Tls,
};
use axum::Router;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use secrethub_core::cidr::Cidr;
use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// Pause after the system gave no descriptor: others must close theirs first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection gets for its first request when the server stops.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// Takes an address, so that a mistake in it is known before anything else is started.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// How the connections of a listener begin.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// Encrypted, where it is given.
    pub tls: Option<Arc<Tls>>,
    /// Proxies whose connections begin with a PROXY header. Who comes from elsewhere asks for itself and sends none.
    pub proxies: Arc<[Cidr]>,
}

impl Listening {
    async fn peer(&self, stream: &mut TcpStream, socket: SocketAddr) -> Result<Peer, Unheard> {
        if !self.proxies.iter().any(|block| block.contains(socket.ip())) {
            return Ok(socket.into());
        }
        Ok(match proxy_protocol::read(stream).await? {
            Said::For(client) => client.into(),
            Said::Own => Peer { own: true, ..socket.into() },
        })
    }
}

/// Serves any number of listeners under common limits.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    places: Arc<Semaphore>,
    http: Builder<TokioExecutor>,
    /// Take no more.
    stop: CancellationToken,
    /// Cut what is left.
    cut: CancellationToken,
}

impl Server {
    /// A server without a listener.
    pub fn new(limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let shared = Shared { http: protocols(&limits), limits, places, stop, cut };
        Self { shared: Arc::new(shared), tasks: TaskTracker::new() }
    }

    /// Serves a router on a listener, in tasks of their own, until [`Server::drain`].
    pub fn serve(&self, listener: TcpListener, listening: Listening, router: Router) {
        let (shared, tasks) = (Arc::clone(&self.shared), self.tasks.clone());
        let acceptor = Acceptor { shared, tasks, listener, listening, router };
        self.tasks.spawn(acceptor.run());
    }

    /// Takes no more connections, lets requests in flight end, and after `grace` cuts what is left. Says whether
    /// all ended by themselves.
    pub async fn drain(self, grace: Duration) -> bool {
        self.shared.stop.cancel();
        self.tasks.close();
        let ended = timeout(grace, self.tasks.wait()).await.is_ok();
        self.shared.cut.cancel();
        self.tasks.wait().await;
        ended
    }
}

fn protocols(limits: &Limits) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes.max(8_192));
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        // A peer that vanished is noticed within the time that a silent one gets.
        .keep_alive_interval(limits.idle_timeout / 3)
        .keep_alive_timeout(limits.idle_timeout / 3);
    http
}

/// What takes the connections of a listener.
struct Acceptor {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    listener: TcpListener,
    listening: Listening,
    router: Router,
}

impl Acceptor {
    async fn run(self) {
        let stop = self.shared.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.accept_all() => {}
        }
        self.accept_waiting();
    }

    /// Never ends by itself.
    async fn accept_all(&self) {
        loop {
            // A place first: who finds none waits in the kernel's queue, which costs us nothing.
            let places = Arc::clone(&self.shared.places);
            let Ok(place) = places.acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = Connection { shared: Arc::clone(&self.shared), peer, _place: place };
                    self.tasks.spawn(connection.run(stream, self.listening.clone(), self.router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Takes those who stand in the kernel's queue: they were told that they are connected, and closing the listener
    /// would reset them where those who come later are refused. The runtime need not have heard of them yet, so the
    /// kernel itself is asked.
    fn accept_waiting(self) {
        let Self { shared, tasks, listener, listening, router } = self;
        let Ok(listener) = listener.into_std() else { return };
        while let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() {
            let Ok((stream, peer)) = listener.accept() else { return };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                let connection = Connection { shared: Arc::clone(&shared), peer, _place: place };
                tasks.spawn(connection.run(stream, listening.clone(), router.clone()));
            }
        }
    }
}

struct Connection {
    shared: Arc<Shared>,
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream, listening: Listening, router: Router) {
        // A reply is one small write: waiting to fill a packet would only delay it.
        let _ = stream.set_nodelay(true);
        let cut = self.shared.cut.clone();
        tokio::select! {
            () = cut.cancelled() => {}
            () = self.open(stream, listening, router) => {}
        }
    }

    /// What comes before HTTP, within the time that it is given.
    async fn open(&self, mut stream: TcpStream, listening: Listening, router: Router) {
        let patience = self.shared.limits.handshake_timeout;
        let peer = match timeout(patience, listening.peer(&mut stream, self.peer)).await {
            Ok(Ok(peer)) => peer,
            Ok(Err(error)) => return tracing::debug!(peer = %self.peer, %error, "not served"),
            Err(_) => return tracing::debug!(peer = %self.peer, "no PROXY header in time"),
        };
        let Some(tls) = listening.tls else { return self.serve(stream, peer, router).await };
        match timeout(patience, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                // rustls keeps those alone that it has verified.
                let certificate =
                    stream.get_ref().1.peer_certificates().is_some_and(|chain| !chain.is_empty());
                self.serve(stream, Peer { certificate, ..peer }, router).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "no TLS"),
            Err(_) => tracing::debug!(peer = %self.peer, "no TLS in time"),
        }
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        router: Router,
    ) {
        let limits = &self.shared.limits;
        let stream = TokioIo::new(Watched::new(stream, limits.head_timeout, limits.idle_timeout));
        let asked = CancellationToken::new();
        let first = asked.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            first.cancel();
            request.extensions_mut().insert(peer);
            answer(router.clone(), request)
        });
        let mut connection = pin!(self.shared.http.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stopped(&asked) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer, error, "connection ended");
        }
    }

    /// Until no more requests are wanted. Who has just been let in gets a moment: his first is on its way, and a
    /// connection without one would be closed at once.
    async fn stopped(&self, asked: &CancellationToken) {
        self.shared.stop.cancelled().await;
        let _ = timeout(FIRST_REQUEST, asked.cancelled()).await;
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<axum::response::Response, Infallible> {
    router.oneshot(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn ask(stream: &mut TcpStream) -> String {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn who_was_let_in_before_the_stop_is_answered_and_who_comes_later_is_refused() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(Limits::default());
        let router = Router::new().route("/", get(async || "here"));
        server.serve(listener, Listening::default(), router);
        let mut accepted = TcpStream::connect(address).await.unwrap();
        let mut other = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut other).await.ends_with("here"), "so the first one was let in, too");
        // Nothing is awaited between this and the stop: it stands in the kernel's queue.
        let waiting = std::net::TcpStream::connect(address).unwrap();
        let drained = tokio::spawn(server.drain(Duration::from_secs(30)));
        tokio::task::yield_now().await;
        waiting.set_nonblocking(true).unwrap();
        let mut waiting = TcpStream::from_std(waiting).unwrap();
        assert!(ask(&mut waiting).await.ends_with("here"), "it waited in the queue");
        assert!(ask(&mut accepted).await.ends_with("here"), "it had not asked yet");
        assert!(drained.await.unwrap(), "all ended by themselves");
        assert!(TcpStream::connect(address).await.is_err());
    }
}
