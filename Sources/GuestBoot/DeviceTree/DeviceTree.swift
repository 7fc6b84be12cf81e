/// A device tree: what the hardware is, told to the kernel (DeviceTree Specification 0.4).
package struct DeviceTree: Equatable, Sendable {
    /// Memory that the kernel must not use.
    package struct Reservation: Equatable, Sendable {
        package let address: UInt64
        /// Bytes.
        package let size: UInt64

        package init(address: UInt64, size: UInt64) {
            self.address = address
            self.size = size
        }
    }

    package struct Property: Equatable, Sendable {
        package let name: String
        package let value: [UInt8]
    }

    package var root: Node
    package var reservations: [Reservation] = []
    /// The `reg` of the boot processor's node.
    package var bootProcessor: UInt32 = 0
    private var phandles: UInt32 = 0

    package init(root: Node = Node("")) {
        self.root = root
    }

    /// A phandle that no other node made here has.
    package mutating func makePhandle() -> UInt32 {
        precondition(phandles < .max - 1, "0 and 0xffffffff are not valid phandles")
        phandles += 1
        return phandles
    }

    /// Keeps `makePhandle` from numbers that nodes from elsewhere have.
    mutating func reservePhandles(below node: Node) {
        if let phandle = node.cells("phandle")?.first, phandle < 0xFFFF_0000 { phandles = max(phandles, phandle) }
        for child in node.children { reservePhandles(below: child) }
    }

    /// The node at an absolute path such as `/cpus/cpu@0`; nil when there is none.
    package func node(_ path: String) -> Node? {
        var node = root
        for part in path.split(separator: "/") {
            guard let child = node.child(String(part)) else { return nil }
            node = child
        }
        return node
    }
}

extension DeviceTree {
    /// A node: properties, and nodes below it, both in the order in which they were added.
    package struct Node: Equatable, Sendable {
        /// The name with the unit address, such as `serial@10000000`; empty for the root.
        package let name: String
        package private(set) var properties: [Property] = []
        package private(set) var children: [Node] = []

        /// - Parameter name: without zero bytes and slashes.
        package init(_ name: String) {
            precondition(!name.utf8.contains(0), "a node's name ends at a zero byte")
            self.name = name
        }

        /// The value of a property; nil when there is none of this name.
        package func property(_ name: String) -> [UInt8]? { properties.first { $0.name == name }?.value }

        /// A property's value as 32-bit cells; nil when there is none, or it is no whole number of cells.
        package func cells(_ name: String) -> [UInt32]? {
            guard let value = property(name), value.count % 4 == 0 else { return nil }
            return stride(from: 0, to: value.count, by: 4).compactMap { value.bigEndian(at: $0) }
        }

        /// A property's value as one string; nil when there is none, or it is no string.
        package func string(_ name: String) -> String? {
            guard let value = property(name), value.last == 0, !value.dropLast().contains(0) else { return nil }
            return String(validating: value.dropLast(), as: UTF8.self)
        }

        package func child(_ name: String) -> Node? { children.first { $0.name == name } }

        /// Sets a property, in place of one of the same name.
        package mutating func set(_ name: String, bytes: [UInt8]) {
            precondition(!name.isEmpty && !name.utf8.contains(0), "a property's name ends at a zero byte")
            let property = Property(name: name, value: bytes)
            if let index = properties.firstIndex(where: { $0.name == name }) {
                properties[index] = property
            } else {
                properties.append(property)
            }
        }

        /// Adds a property of a name that the node does not have yet.
        mutating func add(_ property: Property) { properties.append(property) }

        /// Sets a property without a value, which is true by being there.
        package mutating func set(_ name: String) { set(name, bytes: []) }

        package mutating func set(_ name: String, cells: [UInt32]) {
            set(name, bytes: cells.flatMap { bigEndianBytes($0) })
        }

        /// Sets a property to 64-bit numbers, two cells each.
        package mutating func set(_ name: String, cells64: [UInt64]) {
            set(name, bytes: cells64.flatMap { bigEndianBytes($0) })
        }

        package mutating func set(_ name: String, string: String) { set(name, strings: [string]) }

        package mutating func set(_ name: String, strings: [String]) {
            precondition(strings.allSatisfy { !$0.utf8.contains(0) }, "a string ends at a zero byte")
            set(name, bytes: strings.flatMap { Array($0.utf8) + [0] })
        }

        /// Gives the node a number by which other nodes' properties refer to it.
        package mutating func set(phandle: UInt32) { set("phandle", cells: [phandle]) }

        package mutating func remove(_ name: String) { properties.removeAll { $0.name == name } }

        package mutating func add(_ child: Node) { children.append(child) }

        /// Changes the child of this name, which is added when there is none.
        package mutating func update(_ name: String, _ change: (inout Node) -> Void) {
            if let index = children.firstIndex(where: { $0.name == name }) {
                change(&children[index])
            } else {
                var child = Node(name)
                change(&child)
                children.append(child)
            }
        }
    }
}

func bigEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
