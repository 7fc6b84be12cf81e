import Support

/// Addresses and names that the host has chosen: of the guest's own cards, and of other machines on the same switches.
///
///     address MAC ADDRESS/PREFIX     a card has this IPv4 address
///     host ADDRESS NAME…             the machine at this address has these names
///
/// Other lines are ignored. Names go to a file of the form of /etc/hosts, in lines that end with a mark.
enum StaticNetwork {
    private static let mark: StaticString = "# aerie"
    private static let mostCards = AgentLimits.cards
    /// Where the text is for whatever configures cards later.
    static let file: StaticString = "/run/aerie/network"

    /// The MAC addresses of the cards in `file`.
    static var chosenCards: [[UInt8]] {
        var found: [[UInt8]] = []
        for line in (FileAccess.contents(file) ?? []).parts(separatedBy: 10) where isAddress(line.words) {
            found.append(line.words[1])
        }
        return found
    }

    private static func isAddress(_ words: [[UInt8]]) -> Bool { words.count == 3 && words[0] == "address" }

    /// Says on the console, or to whoever has started this program, what is wrong.
    static func report(_ failure: AgentFailure) {
        StandardError.line("aerie: the addresses of the machine's networks: ", failure.text)
    }

    /// As `apply`, for a guest that runs: whatever configures cards later leaves those with addresses of the host's choice alone.
    static func applyToRunningSystem(_ text: [UInt8]) throws(AgentFailure) {
        // The directory is not there in a guest without an init of ours, which looks for no file in it.
        try? FileAccess.replace(file, with: text)
        try apply(text, hosts: [UInt8]("/etc/hosts"))
    }

    /// Configures the cards and replaces the names in the file.
    static func apply(_ text: [UInt8], hosts path: [UInt8]) throws(AgentFailure) {
        var cards = 0
        var names: [[UInt8]] = []
        for line in text.parts(separatedBy: 10) {
            let words = line.words
            if isAddress(words), cards < mostCards {
                cards += 1
                try setAddress(words[2], ofCard: words[1])
            } else if words.count >= 3, words[0] == "host", AddressText.parseV4(words[1]) != nil {
                names.append(hostLine(words))
            }
        }
        do throws(Errno) {
            try HostsFile.change(path, keeps: { !$0.isEmpty && !isMarked($0) }, further: { names })
        } catch {
            throw AgentFailure(.file, path, error)
        }
    }

    /// `ADDRESS<tab>NAME NAME<tab># aerie`.
    private static func hostLine(_ words: [[UInt8]]) -> [UInt8] {
        var line = words[1]
        for (index, name) in words.dropFirst(2).enumerated() {
            line.append(index == 0 ? 9 : 32)
            line.add(name)
        }
        line.append(9)
        line.add(mark)
        return line
    }

    private static func isMarked(_ line: [UInt8]) -> Bool {
        let words = line.words
        return words.count > 2 && words[words.count - 2] == "#" && words[words.count - 1] == "aerie"
    }

    // MARK: Cards

    /// - Parameters:
    ///   - text: `ADDRESS/PREFIX`.
    ///   - mac: the card's MAC address, in lowercase.
    private static func setAddress(_ text: [UInt8], ofCard mac: [UInt8]) throws(AgentFailure) {
        let parts = text.parts(separatedBy: UInt8(ascii: "/"))
        guard parts.count == 2, let address = AddressText.parseV4(parts[0]), let prefix = parts[1].number, prefix <= 32
        else { throw AgentFailure(.file, text, Errno.invalid) }
        guard let name = interface(mac) else { throw AgentFailure(.file, mac, Errno(19)) }
        let mask: UInt32 = prefix == 0 ? 0 : UInt32.max << UInt32(32 - prefix)
        let maskBytes = (0..<4).map { UInt8(truncatingIfNeeded: mask >> UInt32(24 - 8 * $0)) }
        do throws(Errno) {
            let socket = try InterfaceRequest.socket()
            try InterfaceRequest.setAddress(address, mask: maskBytes, of: name, socket)
            try InterfaceRequest.bringUp(name, socket)
        } catch {
            throw AgentFailure(.file, name, error)
        }
    }

    /// The interface with a MAC address; nil where there is none.
    private static func interface(_ mac: [UInt8]) -> [UInt8]? {
        var found: [UInt8]?
        FileFacts.forEachName(in: [UInt8](NetworkCards.directory)) { name in
            if NetworkCards.attribute(name, "/address") == mac { found = name }
        }
        return found
    }
}
