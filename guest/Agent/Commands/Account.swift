/// A user of the guest, as a command needs one.
struct Account {
    var user: UInt32 = 0
    var group: UInt32 = 0
    var supplementary: [UInt32] = []
    var name: [UInt8] = [UInt8]("root")
    var home: [UInt8] = [UInt8]("/root")
    var shell: [UInt8] = [UInt8]("/bin/sh")

    /// Finds `NAME|UID[:GROUP|GID]` in the guest's /etc/passwd and /etc/group; nil means root,
    /// or the user of an agent that a test started.
    ///
    /// A number needs no entry there: such a user has the group 0 and the home `/`.
    static func find(_ text: [UInt8]?) throws(AgentFailure) -> Account {
        var own: [UInt8] = []
        own.add(number: UInt64(Process.user))
        let text = text ?? own
        let colon = text.firstIndex(of: UInt8(ascii: ":"))
        let user = Array(text[..<(colon ?? text.count)])
        var account = Account()
        let number = user.number.flatMap { $0 < UInt64(UInt32.max) ? UInt32($0) : nil }
        if let entry = passwordEntry(name: user, number: number) {
            account.fill(from: entry)
        } else if let number {
            account.user = number
            account.name = user
            account.home = number == 0 ? account.home : [UInt8]("/")
        } else {
            throw AgentFailure(.badUser, text: .quoted(user, "no such user in /etc/passwd of the guest"))
        }
        let groups = FileAccess.contents("/etc/group")?.parts(separatedBy: 10) ?? []
        if let colon {
            account.group = try groupNumber(Array(text[(colon + 1)...]), groups)
            account.supplementary = [account.group]
        } else {
            account.supplementary = [account.group] + memberships(of: account.name, except: account.group, groups)
        }
        return account
    }

    /// name:password:uid:gid:comment:home:shell
    private static func passwordEntry(name: [UInt8], number: UInt32?) -> [[UInt8]]? {
        for line in FileAccess.contents("/etc/passwd")?.parts(separatedBy: 10) ?? [] {
            let fields = line.parts(separatedBy: UInt8(ascii: ":"))
            guard fields.count >= 7, let user = fields[2].number, user < UInt64(UInt32.max) else { continue }
            if fields[0] == name || number == UInt32(user) { return fields }
        }
        return nil
    }

    private mutating func fill(from entry: [[UInt8]]) {
        name = entry[0]
        user = UInt32(truncatingIfNeeded: entry[2].number ?? 0)
        group = UInt32(truncatingIfNeeded: entry[3].number ?? 0)
        home = entry[5].isEmpty ? [UInt8]("/") : entry[5]
        shell = entry[6].isEmpty ? [UInt8]("/bin/sh") : entry[6]
    }

    private static func groupNumber(_ text: [UInt8], _ groups: [[UInt8]]) throws(AgentFailure) -> UInt32 {
        for line in groups {
            let fields = line.parts(separatedBy: UInt8(ascii: ":"))
            guard fields.count >= 3, fields[0] == text, let group = fields[2].number else { continue }
            return UInt32(truncatingIfNeeded: group)
        }
        if let number = text.number, number < UInt64(UInt32.max) { return UInt32(number) }
        throw AgentFailure(.badUser, text: .quoted(text, "no such group in /etc/group of the guest"))
    }

    /// name:password:gid:member,member
    private static func memberships(of name: [UInt8], except primary: UInt32, _ groups: [[UInt8]]) -> [UInt32] {
        var found: [UInt32] = []
        for line in groups {
            let fields = line.parts(separatedBy: UInt8(ascii: ":"))
            guard fields.count >= 4, let number = fields[2].number else { continue }
            let group = UInt32(truncatingIfNeeded: number)
            guard group != primary, fields[3].parts(separatedBy: UInt8(ascii: ",")).contains(name) else { continue }
            // The kernel takes 65,536; more than some hundred is nobody's.
            if found.count < 1024 { found.append(group) }
        }
        return found
    }
}
