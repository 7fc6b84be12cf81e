internal import Aerie
internal import AgentClient
internal import ControlAPI

/// Drives the hot-plug slots of a Linux guest whose kernel does not, as Debian's for riscv64: programs of the guest, which its agent runs,
/// write the slot's registers.
///
/// A guest without an agent, or whose kernel drives its slots (`/sys/bus/pci/slots`), is left alone. A network card gets an address by DHCP in
/// either case, if the guest's agent and its image are aerie's.
struct GuestSlotDriver {
    /// Seconds for the agent's first word, which comes at the end of the guest's boot; nanoseconds for the programs.
    private static let patience: UInt64 = 30
    private static let limit: UInt64 = 30_000_000_000

    /// The port of slot $1, and its slot control register in the capability at 0x40, as a number of 16-bit words.
    private static let beginning = """
        port=/sys/bus/pci/devices/0000:00:1f.$(($1 - 1))
        [ -e "$port/config" ] && [ ! -e "/sys/bus/pci/slots/$1" ] || exit 0
        control() { printf "$1" | dd of="$port/config" bs=2 seek=44 conv=notrunc 2>/dev/null; }

        """

    /// Switches the slot's power on, and has the kernel look for functions behind it.
    private static let adding =
        beginning + #"""
            control '\000\000'
            echo 1 >"$port/rescan"

            """#

    /// Lets go of what is in the slot, and switches its power off.
    private static let removing =
        beginning + #"""
            for device in "$port"/*:*:*.*; do [ -e "$device/remove" ] && echo 1 >"$device/remove"; done
            control '\000\004'

            """#

    /// Loads the driver, which a guest that started without a card does not have, and has the DHCP client of an image of aerie ask for an
    /// address on the card with the address $1, which the kernel has soon found.
    private static let addressing = #"""
        modprobe -q virtio_net
        client=/usr/lib/aerie/dhcp
        [ -x "$client" ] || exit 0
        tries=0 name=
        while [ -z "$name" ] && [ "$tries" -lt 100 ]; do
            for device in /sys/class/net/*; do
                [ -e "$device/device" ] && read -r address <"$device/address" && [ "$address" = "$1" ] && name=${device##*/}
            done
            [ -n "$name" ] || sleep 0.1
            tries=$((tries + 1))
        done
        [ -n "$name" ] || exit 0
        ip link set "$name" up
        exec busybox udhcpc -b -S -t 2 -T 1 -A 10 -i "$name" -s "$client" </dev/null >/dev/null 2>&1

        """#

    private let machine: Machine

    /// - Returns: nil for a guest without an agent, and for a machine that is paused.
    init?(_ machine: Machine, _ client: ControlClient) {
        guard machine.record.hasAgent, let status = try? client.call(.status), status["state"]?.string == "running"
        else { return nil }
        self.machine = machine
    }

    /// Something has come into a slot.
    func add(slot: Int) { run(Self.adding, "\(slot)") }

    /// The slot's button was pressed.
    func remove(slot: Int) { run(Self.removing, "\(slot)") }

    /// Asks for an address on a network card that has come, whoever drives the slots. An image of another origin has its own ways.
    func configureCard(_ macAddress: String) { run(Self.addressing, macAddress.lowercased()) }

    /// What fails is found by whoever waits for the device, or for its end.
    private func run(_ script: String, _ word: String) {
        let path = machine.record.configuration.sockets?.path ?? machine.file(Machine.socketName)
        let client = AgentClient(
            SocketConnector(path: path), wait: AgentWait(limit: Self.patience), answerLimit: Self.patience)
        _ = try? client.run(
            CommandRequest(arguments: ["/bin/sh", "-c", script, "sh", word]), limit: Self.limit)
    }
}
