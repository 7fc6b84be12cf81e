internal import Glibc

/// The second stage on this host's own processor: root's way to an image of the host's architecture.
///
/// The packages' scripts run in the tree itself, in namespaces of their own: they see no process, no network and no device of
/// the host's but `/dev/null` and its like, and whatever they mount or start is gone when they end.
struct NativeSecondStage {
    let runner: ToolRunner

    private static let namespaces = [
        "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--",
    ]

    /// Enters the tree, its first argument, with what programs expect to find there.
    private static let script = #"""
        set -e
        mount -t proc proc "$1/proc"
        mount -t tmpfs -o mode=0755 dev "$1/dev"
        for name in null zero full random urandom; do
            : >"$1/dev/$name"
            mount --bind "/dev/$name" "$1/dev/$name"
        done
        ln -s /proc/self/fd "$1/dev/fd"
        mount -t tmpfs -o mode=0755 run "$1/run"
        mkdir "$1/run/lock" "$1/run/aerie"
        exec chroot "$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            LANG=C.UTF-8 /usr/lib/aerie/stage2
        """#

    /// Whether this process may do it here: containers often forbid namespaces even to root.
    func isPossible(for architecture: ImageArchitecture) async throws(ImageError) -> Bool {
        guard architecture == ImageArchitecture.host, geteuid() == 0 else { return false }
        return try await runner.outcome(.unshare, Self.namespaces + ["mount", "-t", "tmpfs", "test", "/mnt"]).succeeded
    }

    /// Runs the second stage, whose success shows in what it leaves in the tree.
    func run(in tree: RootTree, _ console: SecondStageConsole) async throws(ImageError) {
        try tree.makeAttributesReal()
        _ = try await runner.outcome(
            .unshare, Self.namespaces + ["/bin/sh", "-c", Self.script, "sh", tree.directory]
        ) { console.receive(Array("\($0)\n".utf8)) }
    }
}
