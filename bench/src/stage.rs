// SPDX-License-Identifier: GPL-2.0-only
//! All configurations, live at once.
//!
//! Owns: a network namespace for each configuration, with its interfaces, its
//! rules and the sockets that packets go through. Two processes hold the
//! namespaces, load the rules and read the counters: one plainly on the kernel
//! (all peers), one under `bpfilter-run`. The sockets are the measuring
//! process's own, so that no process is switched to while it measures.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bpfilter_tests::blob::{Blob, counters_of, get_entries, get_info, info_of};
use bpfilter_tests::client::side::{Side, scratch};
use bpfilter_tests::client::wire::{Reply, Request};
use bpfilter_tests::programs;
use bpfilter_tests::world::namespace::{open_tun, run};
use umh_core::abi::Hook;
use umh_core::abi::{Counters, FILTER, GetEntries};

use crate::rules::Rules;
use crate::shapes::Shape;
use crate::traffic::{HARDWARE, Sockets};

/// What filters packets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Peer {
    /// Nothing.
    Nothing,
    /// An empty BPF program at each of the three hooks: the limit.
    Empty,
    /// `iptables-legacy` with the kernel's ip_tables.
    IpTables,
    /// `iptables-nft`.
    IptablesNft,
    /// nftables, rule by rule.
    NftLinear,
    /// nftables with sets and verdict maps, by hand.
    NftSet,
    /// bpfilter under `bpfilter-run`.
    Bpfilter,
}

impl Peer {
    /// A name for tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no filter",
            Self::Empty => "empty program",
            Self::IpTables => "ip_tables",
            Self::IptablesNft => "iptables-nft",
            Self::NftLinear => "nft linear",
            Self::NftSet => "nft set",
            Self::Bpfilter => "bpfilter",
        }
    }
}

/// One configuration.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Config {
    pub(crate) peer: Peer,
    pub(crate) shape: Shape,
    pub(crate) count: usize,
    pub(crate) hook: Hook,
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let chain = crate::rules::chain_name(self.hook);
        let (peer, shape) = (self.peer.name(), self.shape.name());
        write!(f, "{peer}, {shape}, {} rules in {chain}", self.count)
    }
}

/// A process that holds namespaces.
struct Host {
    side: Side,
    namespaces: usize,
    current: usize,
}

impl Host {
    fn new(side: Side) -> Self {
        Self {
            side,
            namespaces: 1,
            current: 0,
        }
    }

    fn done(&mut self, request: &Request) -> io::Result<()> {
        match self.side.ask(request) {
            Reply::Done => Ok(()),
            other => Err(io::Error::other(format!("{other:?} to {request:?}"))),
        }
    }

    /// A new namespace: its number, and the namespace.
    fn unshare(&mut self) -> io::Result<(usize, File)> {
        self.done(&Request::Unshare)?;
        self.current = self.namespaces;
        self.namespaces += 1;
        let namespace = File::open(format!("/proc/{}/ns/net", self.side.client()))?;
        Ok((self.current, namespace))
    }

    fn enter(&mut self, number: usize) -> io::Result<&mut Side> {
        if self.current != number {
            self.done(&Request::Enter(number))?;
            self.current = number;
        }
        Ok(&mut self.side)
    }
}

/// One configuration, live.
pub(crate) struct Station {
    pub(crate) config: Config,
    pub(crate) rules: Rc<Rules>,
    pub(crate) sockets: Sockets,
    /// How long it took to load the rules for the first time.
    pub(crate) loaded_in: Duration,
    number: usize,
    /// Keep what they refer to.
    _links: Vec<OwnedFd>,
    _out: Option<File>,
}

/// The stage, and who is on it.
pub(crate) struct Stage {
    kernel: Host,
    bpfilter: Host,
    /// Where the far ends of Ethernet pairs are.
    outside: File,
    pub(crate) stations: Vec<Station>,
}

/// Runs something with this thread's copy in a namespace.
fn inside<T: Send>(
    namespace: &File,
    action: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let enter = || {
        // SAFETY: no pointers are passed; only the calling thread moves, which
        // ends after this.
        match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
            0 => action(),
            _ => Err(io::Error::last_os_error()),
        }
    };
    std::thread::scope(|scope| scope.spawn(enter).join())
        .map_err(|_| io::Error::other("a thread panicked"))?
}

impl Stage {
    /// An empty stage.
    pub(crate) fn new() -> io::Result<Self> {
        let own = format!("/proc/{}/exe", std::process::id());
        let mut kernel = Host::new(Side::kernel(&own));
        let bpfilter = Host::new(Side::bpfilter(&own));
        let (_, outside) = kernel.unshare()?;
        Ok(Self {
            kernel,
            bpfilter,
            outside,
            stations: Vec::new(),
        })
    }

    fn host(&mut self, peer: Peer) -> &mut Host {
        match peer {
            Peer::Bpfilter => &mut self.bpfilter,
            _ => &mut self.kernel,
        }
    }

    /// The process that is the helper.
    pub(crate) fn helper(&self) -> Option<u32> {
        self.bpfilter.side.helper()
    }

    /// The first station of ip_tables with such a set.
    pub(crate) fn find(&self, shape: Shape, count: usize) -> Option<usize> {
        self.stations.iter().position(|station| {
            let config = &station.config;
            (config.peer, config.shape, config.count) == (Peer::IpTables, shape, count)
        })
    }

    /// Puts a configuration on the stage; gives its place. `None` if the peer
    /// cannot say these rules.
    pub(crate) fn add(&mut self, config: Config, rules: &Rc<Rules>) -> io::Result<Option<usize>> {
        if config.peer == Peer::NftSet && rules.nft_set().is_none() {
            return Ok(None);
        }
        let place = self.stations.len();
        let (number, namespace) = self.host(config.peer).unshare()?;
        let outside = &self.outside;
        let (sockets, out) = match config.hook {
            Hook::Forward => {
                let far = format!("far{place}");
                let out = inside(&namespace, || ethernet(&far, outside))?;
                let sockets = inside(outside, || {
                    run(&["ip", "link", "set", &far, "up"], "")?;
                    Sockets::ethernet(interface_index(&far)?)
                })?;
                (sockets, Some(out))
            }
            _ => (inside(&namespace, loopback)?, None),
        };
        let links = match config.peer {
            Peer::Empty => inside(&namespace, || {
                let program = programs::load_empty()?;
                let hooks = FILTER.each_hook();
                hooks.map(|hook| programs::attach(&program, hook)).collect()
            })?,
            _ => Vec::new(),
        };
        self.stations.push(Station {
            config,
            rules: Rc::clone(rules),
            sockets,
            loaded_in: Duration::ZERO,
            number,
            _links: links,
            _out: out,
        });
        if !matches!(config.peer, Peer::Nothing | Peer::Empty) {
            self.stations[place].loaded_in = self.load(place)?;
        }
        Ok(Some(place))
    }

    /// Loads a station's rules with its client, in the place of what is there;
    /// how long that takes.
    pub(crate) fn load(&mut self, place: usize) -> io::Result<Duration> {
        let Station { config, rules, .. } = &self.stations[place];
        let (client, text): (&[&str], String) = match config.peer {
            Peer::Nothing | Peer::Empty => return Ok(Duration::ZERO),
            Peer::IpTables | Peer::Bpfilter => (&["iptables-legacy-restore"], rules.iptables()),
            Peer::IptablesNft => (&["iptables-nft-restore"], rules.iptables()),
            Peer::NftLinear => (&["nft", "-f"], rules.nft_linear()),
            Peer::NftSet => (&["nft", "-f"], rules.nft_set().unwrap_or_default()),
        };
        let path = scratch().join("rules");
        fs::write(&path, text)?;
        let path = path.to_string_lossy();
        let argv: Vec<&str> = client.iter().copied().chain([path.as_ref()]).collect();
        self.run(place, &argv)
    }

    /// Runs a command that must succeed in a station's namespace; how long it
    /// takes.
    pub(crate) fn run(&mut self, place: usize, argv: &[&str]) -> io::Result<Duration> {
        let Station { config, number, .. } = self.stations[place];
        let side = self.host(config.peer).enter(number)?;
        let start = Instant::now();
        let ran = side.run(argv, b"");
        let took = start.elapsed();
        match ran.status {
            0 => Ok(took),
            _ => Err(io::Error::other(format!("{config}: {argv:?}: {ran:?}"))),
        }
    }

    /// The table of a station of iptables', as it could be loaded again.
    pub(crate) fn table(&mut self, place: usize) -> io::Result<Blob> {
        let Station { config, number, .. } = self.stations[place];
        let side = self.host(config.peer).enter(number)?;
        let info = info_of(&side.call(&get_info(FILTER.name)).bytes);
        let mut outcome = side.call(&get_entries(FILTER.name, info.size));
        if outcome.ret != 0 {
            return Err(io::Error::from_raw_os_error(outcome.errno));
        }
        let entries = outcome.bytes.split_off(size_of::<GetEntries>());
        Ok(Blob::of_loaded(&info, entries, info.num_entries))
    }

    /// The counters of all entries of a station of iptables'.
    pub(crate) fn counters(&mut self, place: usize) -> io::Result<Vec<Counters>> {
        Ok(counters_of(&self.table(place)?.entries))
    }

    /// The nanoseconds that so many REPLACEs take.
    pub(crate) fn replace(
        &mut self,
        place: usize,
        table: &Blob,
        count: u32,
    ) -> io::Result<Vec<u64>> {
        let Station { config, number, .. } = self.stations[place];
        let side = self.host(config.peer).enter(number)?;
        match side.ask(&Request::Time(table.call(), count)) {
            Reply::Times(times) => Ok(times),
            other => Err(io::Error::other(format!("{config}: {other:?}"))),
        }
    }
}

/// The number of an interface of this thread's namespace.
fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: reads a C string, which is live.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Nothing that sends packets by itself.
fn quiet() -> io::Result<()> {
    for name in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
        if fs::exists(&path)? {
            fs::write(path, "1")?;
        }
    }
    Ok(())
}

/// Sockets on the loopback interface of this thread's namespace.
fn loopback() -> io::Result<Sockets> {
    quiet()?;
    run(&["ip", "link", "set", "lo", "up"], "")?;
    Sockets::loopback()
}

/// A way through this thread's namespace: in from `far`, which is outside, and
/// out to an interface that takes every packet and forgets it.
fn ethernet(far: &str, outside: &File) -> io::Result<File> {
    quiet()?;
    for (name, value) in [
        ("conf/all/rp_filter", "0"),
        ("conf/default/rp_filter", "0"),
        ("ip_forward", "1"),
    ] {
        fs::write(format!("/proc/sys/net/ipv4/{name}"), value)?;
    }
    let out = open_tun("out", false)?;
    let [a, b, c, d, e, f] = HARDWARE;
    let outside = format!("/proc/{}/fd/{}", std::process::id(), outside.as_raw_fd());
    run(
        &["ip", "-batch", "-"],
        &format!(
            "link set lo up\n\
             link add in address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} type veth peer name {far}\n\
             link set {far} netns {outside}\n\
             link set in up\n\
             addr add 192.168.0.1/24 dev in\n\
             link set out txqueuelen 1 up\n\
             route add 198.51.100.0/24 dev out\n\
             route add default dev in\n"
        ),
    )?;
    Ok(out)
}
