/// A port of a guest that is reached from outside.
package struct PublishedGuestPort: Hashable, Sendable {
    let port: UInt16
    let isUDP: Bool

    package init(_ port: UInt16, isUDP: Bool) {
        self.port = port
        self.isUDP = isUDP
    }
}
