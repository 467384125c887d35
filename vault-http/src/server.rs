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
        self.tasks.spawn(async move {
            let stop = shared.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = accept_all(shared, tasks, listener, listening, router) => {}
            }
        });
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

/// Never ends by itself; dropped at stop, and the listener with it.
async fn accept_all(
    shared: Arc<Shared>,
    tasks: TaskTracker,
    listener: TcpListener,
    listening: Listening,
    router: Router,
) {
    loop {
        // A place first: who finds none waits in the kernel's queue, which costs us nothing.
        let Ok(place) = Arc::clone(&shared.places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = Connection { shared: Arc::clone(&shared), peer, _place: place };
                tasks.spawn(connection.run(stream, listening.clone(), router.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
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
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            answer(router.clone(), request)
        });
        let mut connection = pin!(self.shared.http.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shared.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer, error, "connection ended");
        }
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<axum::response::Response, Infallible> {
    router.oneshot(request).await
}
