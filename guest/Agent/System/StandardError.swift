/// Standard error: the console, when the agent starts with the guest.
enum StandardError {
    /// Writes a line of both texts. What the console does not take is lost: nobody else could be told.
    @inline(never)
    static func line(_ subject: StaticString, _ text: [UInt8]) {
        var line = [UInt8](subject)
        line.add(text)
        line.append(10)
        _ = line.withUnsafeBytes { system(SystemCall.write, 2, Int(bitPattern: $0.baseAddress), $0.count) }
    }
}
