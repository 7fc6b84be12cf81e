/// Random bytes from the host's kernel.
package func randomBytes(count: Int) -> [UInt8] {
    // The system generator is getrandom(2).
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in generator.next() }
}
