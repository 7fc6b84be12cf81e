/// Reads one service of a project file.
struct ServiceReader {
    let entry: ComposeNode.Entry
    let project: String
    /// The networks of the file, and the network `default`.
    let networks: [String: ComposeNetwork]
    let reader: ComposeReader

    var service: ComposeService
    var guest = GuestCommand()
    /// Fields that only an image's init can fulfil.
    private var imageFields: [ComposePlace] = []
    private var append: ComposeSetting?
    private var hostname: String?
    var portsPlace: ComposePlace?

    init(_ entry: ComposeNode.Entry, project: String, networks: [String: ComposeNetwork], reader: ComposeReader) {
        self.entry = entry
        self.project = project
        self.networks = networks
        self.reader = reader
        service = ComposeService(name: entry.key, place: entry.place)
    }

    mutating func read() throws(ComposeError) -> ComposeService {
        for field in try entry.value.mapping() where !field.key.hasPrefix("x-") { try read(field) }
        if let place = imageFields.first, !has("image") {
            throw ComposeError(
                place, "the service has no image whose guest would do it", "add 'image', or leave it out")
        }
        let words = [append.map { text($0) }, hostname.map { "aerie.hostname=\($0)" }].compactMap { $0 }
        if !words.isEmpty {
            let place = append?.place ?? entry.place
            try add("append", words.joined(separator: " "), place)
        }
        try completeNetworks()
        if let portsPlace { try checkPorts(portsPlace) }
        service.process = guest
        return service
    }

    private mutating func read(_ field: ComposeNode.Entry) throws(ComposeError) {
        switch field.key {
        case "command", "entrypoint", "environment", "env_file", "hostname", "user", "working_dir":
            if !field.value.isNull { imageFields.append(field.place) }
            try readProcess(field)
        case "depends_on": service.dependencies = try dependencies(field.value)
        case "deploy": try readDeployment(field.value)
        case "healthcheck":
            try readHealthCheck(field.value)
            // The guest's agent, which an image has, runs it.
            if service.healthCheck != nil { imageFields.append(field.place) }
        case "labels": service.labels = try labels(field.value)
        case "memory", "mem_limit": try add("memory", memory(field.value), field.place)
        case "networks": try readNetworks(field.value)
        case "network_mode": try readNetworkMode(field.value)
        case "platform": try add("arch", architecture(field.value), field.place)
        case "ports": try readPorts(field.value)
        case "restart": service.restart = try restart(field.value)
        case "stop_grace_period": try add("stop-timeout", seconds(field.value), field.place)
        case "volumes": try readVolumes(field.value)
        case "init": try field.value.expectTrue("a guest has an init of its own")
        case "tty", "stdin_open": try field.value.expectTrue("a guest always has a console, which 'aerie attach' shows")
        default: try readSetting(field)
        }
    }

    /// An option of `aerie run` under its own name.
    private mutating func readSetting(_ field: ComposeNode.Entry) throws(ComposeError) {
        guard let (name, kind) = reader.vocabulary.setting(field.key) else { throw field.unsupported() }
        switch kind {
        case .flag:
            try checkOnce(name, field.place)
            service.settings.append(
                ComposeSetting(name: name, value: .flag(try field.value.flag()), place: field.place))
        case .list:
            if name == "network", has("network") || !service.attachments.isEmpty {
                throw field.value.error("'networks' is given, too", "leave one out")
            }
            for text in try field.value.texts() { try add(name, text, field.place) }
        case .text:
            let text = try field.value.text()
            guard name == "append" else { return try add(name, text, field.place) }
            append = ComposeSetting(name: name, value: .text(text), place: field.place)
        }
    }

    private func text(_ setting: ComposeSetting) -> String {
        if case .text(let text) = setting.value { text } else { "" }
    }

    func has(_ name: String) -> Bool { service.settings.contains { $0.name == name } }

    /// Adds a setting; one more element for a list.
    mutating func add(_ name: String, _ text: String, _ place: ComposePlace) throws(ComposeError) {
        if reader.vocabulary.kinds[name] != .list { try checkOnce(name, place) }
        service.settings.append(ComposeSetting(name: name, value: .text(text), place: place))
    }

    private func checkOnce(_ name: String, _ place: ComposePlace) throws(ComposeError) {
        guard let other = service.settings.first(where: { $0.name == name }) else { return }
        throw ComposeError(
            place, "'\(name)' is given twice" + (other.place.line.map { ", in line \($0) as well" } ?? ""),
            "leave one out")
    }

    // MARK: The guest's process

    private mutating func readProcess(_ field: ComposeNode.Entry) throws(ComposeError) {
        if field.value.isNull { return }
        switch field.key {
        case "command": guest.command = try words(field.value)
        case "entrypoint": guest.entryPoint = try words(field.value)
        case "environment": guest.environment = try environment(field.value)
        case "env_file": guest.fileEnvironment = try environmentFiles(field.value)
        case "working_dir": guest.directory = try directory(field.value)
        case "user": guest.user = try user(field.value)
        default: hostname = try hostname(field.value)
        }
    }

    func hostname(_ node: ComposeNode) throws(ComposeError) -> String {
        let name = try node.text()
        let isPlain = name.utf8.enumerated().allSatisfy { index, byte in
            (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || index > 0 && "-.".utf8.contains(byte)
        }
        guard isPlain, (1...63).contains(name.utf8.count) else {
            throw node.error("'\(name)' is not a valid host name", "use 1 to 63 letters, digits, '-' and '.'")
        }
        return name
    }
}
