//! `operator snapshot`: everything that the store holds in one file, while the server serves; and back.

use crate::{
    command::store,
    context::Context,
    failure::{Failure, OK},
    input, output,
    progress::Progress,
};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use secrethub::{
    StoreOptions, TokioHost,
    core::{
        Secret,
        backup::{About, Cover, CoverHeader, Restore, Tally, Uncover},
    },
    default_crypto,
};
use secrethub_http::Unpack;
use serde_json::json;
use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes that are read from a file at a time.
const PIECE: usize = 256 * 1024;

#[derive(Subcommand, Debug)]
pub(super) enum Snapshot {
    /// Write a snapshot of a server's store to a new file
    Save {
        #[command(flatten)]
        cover: Passphrase,
        /// The file; `-` for stdout
        file: PathBuf,
    },
    /// Say what a snapshot holds, and whether it is whole
    Inspect {
        #[command(flatten)]
        cover: Passphrase,
        /// The file
        file: PathBuf,
    },
    /// Bring a snapshot into an empty store, or into a server that has no vault yet
    Restore {
        /// Fill this store directly, with no server: sqlite:PATH, postgres://…, mongodb://…, or file:PATH of a URL
        #[arg(long, value_name = "URL")]
        store: Option<String>,
        #[command(flatten)]
        cover: Passphrase,
        /// The file
        file: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(super) struct Passphrase {
    /// The snapshot is under the passphrase in this file; `-` for stdin
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<String>,
}

impl Passphrase {
    fn read(&self) -> Result<Option<Secret<String>>, Failure> {
        let Some(file) = &self.passphrase_file else { return Ok(None) };
        let reference = if file == "-" { "-".to_owned() } else { format!("@{file}") };
        let text = input::secret_by(Some(&reference), "Passphrase (will be hidden): ")?;
        // EXPOSE: into the core's own kind of secret.
        let text = Secret::new(text.expose_secret().trim_end_matches(['\r', '\n']).to_owned());
        // EXPOSE: its length.
        match text.expose().chars().count() {
            0..8 => Err(Failure::local("a passphrase has at least 8 characters")),
            _ => Ok(Some(text)),
        }
    }
}

impl Snapshot {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        match self {
            Self::Save { cover, file } => save(context, &cover, &file).await,
            Self::Inspect { cover, file } => {
                let (about, tally) =
                    read(Pieces::open(&file, &cover)?, Restore::inspect(default_crypto())).await?;
                print(context, "", &about, &tally)
            }
            Self::Restore { store: Some(url), cover, file } => {
                let pieces = Pieces::open(&file, &cover)?;
                let backend = store::open("--store", &url, StoreOptions::default()).await?;
                let restore = Restore::into(backend, Arc::new(TokioHost::new()), default_crypto());
                let (about, tally) = read(pieces, restore).await?;
                print(context, "Success! Restored and compared:\n\n", &about, &tally)
            }
            Self::Restore { store: None, cover, file } => {
                let pieces = Pieces::open(&file, &cover)?;
                let stream = futures::stream::try_unfold(pieces, |mut pieces| async {
                    Ok::<_, io::Error>(pieces.next()?.map(|piece| (piece, pieces)))
                });
                context.client_with(None)?.restore(stream).await?;
                output::say(
                    "Success! Restored: unseal the server with the shares of the vault that was saved.",
                )?;
                Ok(OK)
            }
        }
    }
}

async fn save(context: &Context, cover: &Passphrase, file: &Path) -> Result<u8, Failure> {
    let about = |error: io::Error| Failure::from(error).about(&file.display().to_string());
    let mut cover =
        cover.read()?.map(|text| Cover::new(default_crypto(), &TokioHost::new(), &text)).transpose()?;
    let mut download = context.client()?.snapshot().await?;
    // A file that is not whole never has the name of one that is.
    let fresh = PathBuf::from(format!("{}.part", file.display()));
    let to_stdout = file == Path::new("-");
    let mut out: Box<dyn Write + Send> = match to_stdout {
        true => Box::new(io::stdout()),
        false if file.exists() => {
            return Err(Failure::local(format!("{} is there already; name another file", file.display())));
        }
        false => Box::new(private(&fresh).map_err(about)?),
    };
    let mut progress = Progress::start("Saving:");
    let mut check = Restore::inspect(default_crypto());
    while let Some(piece) = download.next().await? {
        check.push(&piece).await?;
        progress.bytes(piece.len());
        let written = match &mut cover {
            Some(cover) => out.write_all(&cover.push(&piece)),
            None => out.write_all(&piece),
        };
        written.map_err(about)?;
    }
    let (told, tally) = check.finish().await?;
    out.write_all(&cover.map(Cover::finish).unwrap_or_default()).map_err(about)?;
    out.flush().map_err(about)?;
    drop((out, progress));
    if to_stdout {
        return Ok(OK);
    }
    fs::File::open(&fresh).and_then(|file| file.sync_all()).map_err(about)?;
    fs::rename(&fresh, file).map_err(about)?;
    print(context, "Success! Saved:\n\n", &told, &tally)
}

fn private(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

async fn read(mut pieces: Pieces, mut restore: Restore) -> Result<(About, Tally), Failure> {
    let progress = Progress::start("Reading:");
    while let Some(piece) = pieces.next()? {
        restore.push(&piece).await?;
        progress.tally(restore.tally());
    }
    Ok(restore.finish().await?)
}

fn print(context: &Context, before: &str, about: &About, tally: &Tally) -> Result<u8, Failure> {
    let whole = json!({
        "id": about.id, "taken": about.taken, "version": about.version, "store": about.store,
        "entries": tally.entries, "records": tally.records, "digest": tally.digest,
    });
    context.print(&whole, &whole, || {
        let rows = [
            ("ID", about.id.clone()),
            ("Taken", about.taken.clone()),
            ("Version", about.version.clone()),
            ("Store", about.store.clone()),
            ("Entries", tally.entries.to_string()),
            ("Audit Records", tally.records.to_string()),
            ("Digest", tally.digest.clone()),
        ];
        format!("{before}{}", output::key_values(&rows))
    })
}

/// The plain bytes of a file, a piece at a time.
#[derive(Debug)]
struct Pieces {
    file: fs::File,
    cover: Option<Uncover>,
    /// A server's answer to other tools is an archive.
    unpack: Option<Unpack>,
    done: bool,
}

impl Pieces {
    fn open(path: &Path, cover: &Passphrase) -> Result<Self, Failure> {
        let about = |error: io::Error| Failure::from(error).about(&path.display().to_string());
        let mut file = fs::File::open(path).map_err(about)?;
        let cover = match cover.read()? {
            None => None,
            Some(text) => {
                let mut header = [0; CoverHeader::BYTES];
                file.read_exact(&mut header).map_err(about)?;
                let header = CoverHeader::parse(&header)
                    .ok_or_else(|| Failure::local("this is no snapshot under a passphrase"))?;
                Some(Uncover::new(default_crypto(), header, &text)?)
            }
        };
        Ok(Self { file, cover, unpack: Some(Unpack::default()), done: false })
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = vec![0; PIECE];
        let read = self.file.read(&mut piece)?;
        piece.truncate(read);
        if read > 0 {
            let bytes = match (&mut self.cover, &mut self.unpack) {
                (Some(cover), _) => cover.push(&piece),
                (None, Some(unpack)) => unpack.push(&piece),
                (None, None) => Ok(piece),
            };
            return bytes.map(Some).map_err(io::Error::other);
        }
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        match self.cover.take() {
            Some(cover) => cover.finish().map(Some).map_err(io::Error::other),
            None => Ok(self.unpack.take().map(Unpack::finish)),
        }
    }
}
