import Foundation
import GuestToolchain
import TestSupport
import Testing

/// A whole Debian in a guest: systemd, and containers by podman and docker.
@Suite(
    "Debian with systemd", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.containers.obstacle == nil })
struct ContainerTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    @discardableResult
    private func run(_ words: [String], input: String = "") throws -> AerieResult {
        let result = try aerie.run(words, input: input, environment: DebianImage.containers.environment)
        #expect(result.code == 0, "\(words): \(result.error)")
        return result
    }

    /// Runs a script in the guest, and returns its output.
    private func script(_ text: String) throws -> String {
        try run(["exec", "-i", "--wait", "300", "one", "sh", "-e"], input: text).output
    }

    /// Waits until systemd has started all units; `degraded` would mean that one has failed.
    private func awaitSystem() throws -> String { try script("systemctl is-system-running --wait") }

    @Test("The verbs are those of other guests, and podman and docker run containers with limits and networks")
    func containers() throws {
        try run(["run", "--detach", "--name", "one", "--memory", "1G", "--hostname", "whole", "debian"])
        defer { _ = try? aerie.run(["rm", "--force", "one"], environment: DebianImage.containers.environment) }
        #expect(try awaitSystem() == "running\n")
        #expect(try script("cat /proc/1/comm; hostname; systemctl is-active aerie-agent") == "systemd\nwhole\nactive\n")
        try podman()
        try docker()
        try files()
        try run(["pause", "one"])
        #expect(try run(["ps"]).output.contains("(paused)"))
        try run(["resume", "one"])
        #expect(try run(["stats", "one"]).output.contains("one"))
        #expect(try run(["logs", "one"]).output.contains("root@whole"))
        // A guest that does not power off in order is killed, with code 137.
        try run(["stop", "--time", "120", "one"])
        #expect(try run(["wait", "one"]).output == "0\n")
        try run(["start", "one"])
        #expect(try awaitSystem() == "running\n")
        #expect(try script("podman image exists box && cat /srv/kept") == "kept\n")
        try run(["kill", "one"])
        #expect(try run(["wait", "one"]).output == "137\n")
    }

    /// A system of one program, which no registry is needed for.
    private func podman() throws {
        _ = try script(
            """
            mkdir -p /srv/root/bin /srv/root/etc /srv/root/proc
            cp /usr/bin/busybox /srv/root/bin
            for name in sh cat echo hostname httpd id; do ln -s busybox /srv/root/bin/$name; done
            tar -C /srv/root -c . | podman import -q - box
            """)
        let words = "hostname; id -u; cat /sys/fs/cgroup/memory.max"
        let contained = try script("podman run --rm --hostname inner --memory 64m box sh -c '\(words)'")
        #expect(contained == "inner\n0\n67108864\n")
        // What a container writes goes to its overlay.
        let written = try script("podman run --rm --rootfs /srv/root:O sh -c 'echo written >/file; cat /file'")
        #expect(written == "written\n")
        #expect(try script("ls /srv/root") == "bin\netc\nproc\n")
        let page = try script(
            """
            podman run --detach --name web --publish 8080:80 box httpd -f -p 80 -h /etc >/dev/null
            podman exec web sh -c 'echo served >/etc/page'
            until busybox wget -qO- http://127.0.0.1:8080/page 2>/dev/null; do sleep 1; done
            podman rm --force --time 0 web >/dev/null
            """)
        #expect(page == "served\n")
    }

    private func docker() throws {
        let contained = try script(
            """
            tar -C /srv/root -c . | docker import - box >/dev/null
            docker run --rm --hostname inner --memory 64m box sh -c 'hostname; cat /sys/fs/cgroup/memory.max'
            """)
        #expect(contained == "inner\n67108864\n")
    }

    private func files() throws {
        let file = try aerie.directory.file("kept", Data("kept\n".utf8))
        try run(["cp", file, "one:/srv/kept"])
        try run(["cp", "one:/srv/root/etc", aerie.directory.path("copied")])
        #expect(try run(["cp", "one:/srv/kept", "-"]).output.contains("kept\n"))
    }
}
