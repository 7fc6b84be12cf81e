internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import AgentProtocol
internal import Compose
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// The addresses and names of a project's services.
///
/// A machine keeps its addresses until it is removed, and a service whose machine is made anew has them again. All services of the file have
/// addresses, also those that have no machine yet, so that names are there before the machines.
struct ProjectNetworks {
    /// Seconds for the answer of a running guest.
    private static let answerLimit: UInt64 = 10

    private let project: ComposeProject
    /// By the services' names, in the order of their attachments.
    private let addresses: [String: [GuestNetwork.Address]]

    /// - Parameter directory: the machines of the user.
    init(_ project: ComposeProject, in directory: StateDirectory) throws(AerieError) {
        self.project = project
        let machines = ProjectMachines(project.name, in: directory)
        var plan = SegmentAddresses(directory.machines())
        let own = Set(machines.all.map(\.record.id))
        var chosen: [String: [Int: UInt32]] = [:]
        // What is fixed or was given before comes first.
        for service in project.services {
            let known = machines.machine(of: service.name)
            for (index, attachment) in service.attachments.enumerated() {
                guard let address = try Self.knownAddress(attachment, known, &plan, own) else { continue }
                plan.take(address, on: attachment.network.segment, for: service.name)
                chosen[service.name, default: [:]][index] = address
            }
        }
        var result: [String: [GuestNetwork.Address]] = [:]
        for service in project.services where !service.attachments.isEmpty {
            var own: [GuestNetwork.Address] = []
            for (index, attachment) in service.attachments.enumerated() {
                let segment = attachment.network.segment
                let network = try plan.network(of: segment)
                let address: UInt32
                if let known = chosen[service.name]?[index] {
                    address = known
                } else {
                    address = try plan.takeFree(in: network, of: segment, for: service.name)
                }
                own.append(
                    GuestNetwork.Address(segment: segment, address: IPv4Network.text(address), prefix: network.prefix))
            }
            result[service.name] = own
        }
        addresses = result
    }

    /// The address that the file or the service's machine has; nil for one to be chosen.
    private static func knownAddress(
        _ attachment: ComposeAttachment, _ machine: Machine?, _ plan: inout SegmentAddresses, _ own: Set<String>
    ) throws(AerieError) -> UInt32? {
        let segment = attachment.network.segment
        var wanted: IPv4Network?
        if let subnet = attachment.network.subnet {
            wanted = IPv4Network(subnet)
            guard wanted != nil else {
                throw AerieError(
                    .badInput, asked: "\(attachment.network.place)", found: "'\(subnet)' is not a subnet of IPv4",
                    advice: "use a form such as 10.5.0.0/24, with a prefix from 8 to 29")
            }
        }
        let network = try plan.network(of: segment, wanted: wanted)
        if let text = attachment.address {
            guard let address = IPv4Network.address(text), network.machineAddresses.contains(address) else {
                throw AerieError(
                    .badInput, asked: "\(attachment.place)",
                    found: "'\(text)' is not an address of a machine in \(network)",
                    advice: "choose another one, or a 'subnet' of the network '\(attachment.network.name)'")
            }
            guard !plan.isTaken(address, on: segment, except: own) else {
                throw AerieError(
                    .badInput, asked: "\(attachment.place)", found: "another machine has the address \(text)",
                    advice: "choose another one")
            }
            return address
        }
        let known = machine?.record.network?.addresses.first { $0.segment == segment }
        return known.flatMap { IPv4Network.address($0.address) }.flatMap { network.contains($0) ? $0 : nil }
    }

    /// The addresses of a service, and the names of all services that it shares a network with; nil without networks.
    func network(of service: ComposeService) -> GuestNetwork? {
        guard let own = addresses[service.name] else { return nil }
        var hosts: [GuestNetwork.Host] = []
        for other in project.services {
            // The first network that both are on.
            let shared = own.lazy.compactMap { address in
                other.attachments.firstIndex { $0.network.segment == address.segment }
            }.first
            guard let shared, let address = addresses[other.name]?[shared] else { continue }
            var names = [other.name, project.machineName(other.name)]
            for alias in other.attachments[shared].aliases where !names.contains(alias) { names.append(alias) }
            hosts.append(GuestNetwork.Host(address: address.address, names: names))
        }
        return GuestNetwork(addresses: own, hosts: hosts)
    }

    /// The ranges of a service's networks, which an egress policy has to allow.
    func ranges(of service: ComposeService) -> [String] {
        addresses[service.name, default: []].compactMap { item in
            IPv4Network.address(item.address).flatMap { IPv4Network(containing: $0, prefix: item.prefix)?.description }
        }
    }

    /// Lets the machines that are there know the names: those that run now, the others at their next start.
    func update(in directory: StateDirectory) throws {
        let machines = ProjectMachines(project.name, in: directory)
        for service in project.services {
            guard let machine = machines.machine(of: service.name), let known = machine.record.network,
                var network = network(of: service), network.hosts != known.hosts
            else { continue }
            // A machine that runs keeps its addresses; one that will be made anew gets others then.
            network.addresses = known.addresses
            try directory.set(network, of: machine)
            guard machine.isRunning, machine.record.hasAgent else { continue }
            do throws(AgentError) {
                var request = ConfigureRequest()
                request.network = Array(network.text(machine.record.configuration.networkCards).utf8)
                try AgentClient(
                    MachineConnector(machine: machine), wait: AgentWait(limit: Self.answerLimit),
                    answerLimit: Self.answerLimit
                ).configure(request)
            } catch {
                StandardError.write(
                    "aerie: machine '\(machine.record.name)': its guest does not know the names of new services before its "
                        + "next start: \(error.found)\n")
            }
        }
    }
}
