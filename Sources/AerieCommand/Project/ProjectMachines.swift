internal import Aerie
internal import AerieMachines
internal import Compose
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// The machines of a project, which their labels name: a user may rename them.
struct ProjectMachines {
    enum Label {
        static let project = "aerie.project"
        static let service = "aerie.service"
        /// A digest of what the machine was made from.
        static let definition = "aerie.definition"
        /// Where the project's file is.
        static let directory = "aerie.directory"
    }

    let project: String
    /// By their age.
    let all: [Machine]

    init(_ project: String, in directory: StateDirectory) {
        self.project = project
        all = directory.machines().filter { $0.record.labels[Label.project] == project }
    }

    /// The machine of a service; nil where there is none.
    func machine(of service: String) -> Machine? { all.first { $0.record.labels[Label.service] == service } }

    /// The machines of services that a file does not have.
    func orphans(_ services: [ComposeService]) -> [Machine] {
        all.filter { machine in !services.contains { $0.name == machine.record.labels[Label.service] } }
    }

    /// Refuses a project of this name that belongs to another directory: two directories may have one name.
    func checkDirectory(_ directory: String) throws(AerieError) {
        guard let other = all.compactMap({ $0.record.labels[Label.directory] }).first(where: { $0 != directory }) else {
            return
        }
        throw AerieError(
            .usage, asked: "project '\(project)'", found: "its machines were made from \(other)",
            advice: "choose another name with --project, or remove them with 'aerie down --project \(project)'")
    }

    /// Takes the project's lock, which keeps other commands from changing the same project meanwhile.
    static func lock(_ project: String, in directory: StateDirectory) throws(AerieError) -> MachineLock {
        try directory.lock(project: project) {
            StandardError.write("aerie: waiting for another command that changes project '\(project)'\n")
        }
    }

    /// Lets a machine power off and removes it with its disk.
    ///
    /// - Parameter seconds: nil for the machine's own.
    static func remove(_ machine: Machine, in directory: StateDirectory, seconds: Int? = nil) throws(AerieError) {
        try MachineEnding.stop(machine, seconds: seconds)
        guard !machine.isGone else { return }
        try directory.remove(machine)
    }
}
