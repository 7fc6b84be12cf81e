internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The generated code with which a guest boots: that of a snapshot of its image, whose guest has booted the same kernel and programs.
///
/// Whoever starts a machine links the file into its directory, and the machine's monitor takes it from there for all boots until the machine ends.
/// Code that does not fit is not used, so that nothing is lost with an error here.
package struct BootCode: Sendable {
    /// The code's file, which is open for as long as this process lives; nil where there is none.
    package let file: Int32?
    /// Whether other machines are to boot with the code of this one.
    package let isForOthers: Bool

    /// Gives a machine that is about to start the code, if there is some and it boots.
    ///
    /// - Parameter program: the path of `aerie-vm`.
    static func give(to machine: Machine, program: String) {
        // Its monitor has taken what it was given.
        guard !machine.hasProcess else { return }
        SavedCodeLink.boot.discard(of: machine)
        let configuration = machine.record.configuration
        guard let image = machine.record.image, configuration.architecture == .riscv64,
            configuration.engine != .interpret, access(machine.file(Machine.savedStateName), F_OK) != 0,
            let store = InstantStore.ofUser,
            let stamp = try? SnapshotRecord.Stamp(file: program, followsLinks: true)
        else { return }
        store.linkCode(of: image.directory, program: stamp, configuration, to: machine.directory)
    }

    /// Takes the code that a machine was given.
    init(takingFrom machine: Machine, isForOthers: Bool) {
        file = SavedCodeLink.boot.open(of: machine)?.release()
        self.isForOthers = isForOthers
        SavedCodeLink.boot.discard(of: machine)
    }

    /// For the machine's process.
    var descriptors: [Int32] { file.map { [$0] } ?? [] }
}
