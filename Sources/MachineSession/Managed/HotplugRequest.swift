internal import Aerie
internal import ControlAPI
internal import Glibc

/// A request for a device in a hot-plug slot, over the control socket.
struct HotplugRequest {
    /// Seconds that a guest may take to let go of a device.
    private static let timeouts = 1...3600

    private let request: ControlRequest

    init(_ request: ControlRequest) { self.request = request }

    /// - Parameter files: have come with the request, and are this function's.
    func addDisk(to machine: VirtualMachine, _ files: [Int32]) throws(AerieError) {
        let names = (try? request.parameters["files"]?.decode([String].self)) ?? []
        let opened = try Disk.openFiles(names, descriptors: files)
        guard let disk = try? request.parameters["disk"]?.decode(Disk.self), disk.slot != nil else {
            throw malformed("'disk' is not a disk with its slot")
        }
        try machine.addDisk(disk, opened)
    }

    /// - Parameter files: have come with the request, and are this function's.
    func addNetworkCard(to machine: VirtualMachine, _ files: [Int32]) throws(AerieError) {
        guard let card = try? request.parameters["card"]?.decode(NetworkCard.self), card.slot != nil,
            files.count == (card.network.needsInterface ? 1 : 0)
        else {
            for file in files { close(file) }
            throw malformed("'card' is not a network card with its slot and its interface")
        }
        let mtu = request.parameters["mtu"]?.integer ?? 0
        try machine.addNetworkCard(card, interface: files.first.map { OpenInterface(owning: $0, mtu: mtu) })
    }

    /// - Returns: false for a slot that was empty.
    func remove(from machine: VirtualMachine) throws(AerieError) -> Bool {
        guard let slot = request.parameters["slot"]?.integer else { throw malformed("'slot' is not a number") }
        let seconds = request.parameters["timeout"]?.integer
        let limit = seconds.map { Duration.seconds(min(max($0, Self.timeouts.lowerBound), Self.timeouts.upperBound)) }
        return try machine.removeDevice(slot: slot, within: limit ?? VirtualMachine.removalLimit)
    }

    private func malformed(_ found: String) -> AerieError {
        AerieError(
            .usage, asked: "\(request.method.rawValue) over the control socket", found: found,
            advice: "see docs/control-protocol.md")
    }
}
