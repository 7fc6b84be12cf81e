internal import Aerie
internal import Compose
internal import ControlAPI
internal import Foundation
internal import HostSystem
internal import MachineSession
internal import Runtime

/// Brings services of a project up, one after the other.
struct ProjectStart {
    let project: ComposeProject
    /// Absolute.
    let projectDirectory: String
    let state: StateDirectory
    let makesAnew: Bool

    /// Starts the services in their order. What runs stays when one of them fails, and the error names it.
    func run(_ services: [ComposeService]) async throws {
        // A wrong value in the last service is found before the first one starts.
        let machines = ProjectMachines(project.name, in: state)
        var settings = try services.map { (service) throws(AerieError) in
            try ServiceSettings.settings(service, isRunning: machines.machine(of: service.name)?.isRunning == true)
        }
        let networks = try ProjectNetworks(project, in: state)
        for (index, service) in services.enumerated() where settings[index].allowedEgress?.isEmpty == false {
            settings[index].allowedEgress? += networks.ranges(of: service)
        }
        warnOfMissingNetwork(services, settings)
        try networks.update(in: state)
        for (index, service) in services.enumerated() {
            do {
                for dependency in service.dependencies { try await wait(for: dependency) }
                let outcome = try await start(service, settings[index], networks)
                print("\(project.machineName(service.name)) \(outcome)")
                try? ProcessStart.flushStandardOutput()
            } catch {
                throw Self.failure(error, of: service, done: services[..<index], rest: services[(index + 1)...])
            }
        }
    }

    /// Services that are to have a way out and have none, because passt is not there.
    private func warnOfMissingNetwork(_ services: [ComposeService], _ settings: [RunSettings]) {
        let names = zip(services, settings).filter { service, settings in
            service.hasWayOut && settings.networks?.contains { $0.network == .user } == false
        }.map(\.0.name)
        guard !names.isEmpty else { return }
        StandardError.write(
            "aerie: network: passt is not installed, so these services have no way out: \(names.joined(separator: ", ")); "
                + "apt-get install passt\n")
    }

    /// - Returns: the word for what was done.
    private func start(
        _ service: ComposeService, _ settings: RunSettings, _ networks: ProjectNetworks
    ) async throws -> String {
        var word = "created"
        if let machine = ProjectMachines(project.name, in: state).machine(of: service.name) {
            if !makesAnew, machine.record.labels[ProjectMachines.Label.definition] == service.definition {
                if machine.isRunning { return "unchanged" }
                try MachineStarting.start(machine)
                return "started"
            }
            try ProjectMachines.remove(machine, in: state)
            word = "made anew"
        }
        var identity = MachineIdentity(name: project.machineName(service.name))
        identity.restart = RestartPolicy(service.restart) ?? .no
        identity.labels = service.labels.merging([
            ProjectMachines.Label.project: project.name, ProjectMachines.Label.service: service.name,
            ProjectMachines.Label.definition: service.definition, ProjectMachines.Label.directory: projectDirectory,
        ]) { $1 }
        identity.healthCheck = service.healthCheck.map { check in
            HealthCheck(
                command: check.command, interval: UInt64(check.interval), timeout: UInt64(check.timeout),
                startPeriod: UInt64(check.startPeriod), retries: check.retries)
        }
        identity.network = networks.network(of: service)
        var making = MachineMaking(settings: settings, identity: identity, isTemporary: false)
        making.commandSettings = ServiceSettings.command(service, settings)
        let made = try await making.run()
        try MachineProgram().start(made.machine, lease: made.lease)
        return word
    }

    private func wait(for dependency: ComposeDependency) async throws {
        guard dependency.condition != .started else { return }
        let asked =
            "service '\(dependency.service)', which has to be \(dependency.condition == .healthy ? "healthy" : "done") first"
        guard let machine = ProjectMachines(project.name, in: state).machine(of: dependency.service) else {
            throw AerieError(.notStarted, asked: asked, found: "it has no machine", advice: "try again")
        }
        let advice = "see 'aerie logs \(machine.record.name)'"
        guard dependency.condition == .completed else {
            return try await waitForHealth(of: machine, asked: asked, advice: advice)
        }
        let code = try WaitCommand.code(of: machine)
        guard code == 0 else {
            throw AerieError(.notStarted, asked: asked, found: "it ended with code \(code)", advice: advice)
        }
    }

    private func waitForHealth(of machine: Machine, asked: String, advice: String) async throws {
        while true {
            let status = machine.status
            if status.health == .healthy { return }
            guard machine.isRunning, status.health != .unhealthy else {
                let found = machine.isRunning ? "it is unhealthy" : "it has ended"
                throw AerieError(.notStarted, asked: asked, found: found, advice: advice)
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// An error with the state of the project in its advice.
    private static func failure(
        _ error: any Error, of service: ComposeService, done: ArraySlice<ComposeService>,
        rest: ArraySlice<ComposeService>
    ) -> any Error {
        let failure = Failure(error)
        guard let category = AerieError.Category(rawValue: failure.code) else { return error }
        func names(_ services: ArraySlice<ComposeService>) -> String {
            services.isEmpty ? "none" : services.map(\.name).joined(separator: ", ")
        }
        return AerieError(
            category, asked: "service '\(service.name)'", found: failure.message,
            advice: "services that are up: \(names(done)); not started: \(names(rest))")
    }
}
