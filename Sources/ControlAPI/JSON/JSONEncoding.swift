extension JSONValue {
    /// The value as JSON. Numbers with a fraction are not used by our types and are refused.
    package init(encoding value: some Encodable) throws {
        let box = ValueBox()
        try value.encode(to: ValueEncoder(box: box, codingPath: []))
        self = box.value
    }
}

/// A value that is filled in while its encoder is in use.
private final class ValueBox {
    var members: [String: ValueBox]?
    var elements: [ValueBox]?
    var single: JSONValue?

    var value: JSONValue {
        if let members { return .object(members.mapValues(\.value)) }
        if let elements { return .array(elements.map(\.value)) }
        return single ?? .null
    }

    func member(_ key: String) -> ValueBox {
        let box = ValueBox()
        members?[key] = box
        return box
    }

    func element() -> ValueBox {
        let box = ValueBox()
        elements?.append(box)
        return box
    }
}

private struct ValueEncoder: Encoder, SingleValueEncodingContainer {
    let box: ValueBox
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if box.members == nil { box.members = [:] }
        return KeyedEncodingContainer(KeyedValues(box: box, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if box.elements == nil { box.elements = [] }
        return UnkeyedValues(box: box, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { box.single = .null }

    func encode(_ value: some Encodable) throws {
        if let single = Self.single(value) {
            box.single = single
        } else if value is Double || value is Float {
            throw EncodingError.invalidValue(
                value, EncodingError.Context(codingPath: codingPath, debugDescription: "numbers are whole"))
        } else {
            try value.encode(to: self)
        }
    }

    /// A value of the standard library's as it stands in JSON. Each type by itself: whether a type is any integer's takes the runtime far longer.
    private static func single<Value>(_ value: Value) -> JSONValue? {
        switch value {
        case let text as String: .string(text)
        case let flag as Bool: .boolean(flag)
        case let number as Int: .number("\(number)")
        case let number as UInt64: .number("\(number)")
        case let number as Int64: .number("\(number)")
        case let number as UInt32: .number("\(number)")
        case let number as Int32: .number("\(number)")
        case let number as UInt16: .number("\(number)")
        case let number as Int16: .number("\(number)")
        case let number as UInt8: .number("\(number)")
        case let number as Int8: .number("\(number)")
        case let number as UInt: .number("\(number)")
        default: nil
        }
    }
}

private struct KeyedValues<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let box: ValueBox
    let codingPath: [any CodingKey]

    private func encoder(_ key: any CodingKey) -> ValueEncoder {
        ValueEncoder(box: box.member(key.stringValue), codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) { encoder(key).encodeNil() }

    func encode(_ value: some Encodable, forKey key: Key) throws { try encoder(key).encode(value) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { ValueEncoder(box: box.member("super"), codingPath: codingPath) }

    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

private struct UnkeyedValues: UnkeyedEncodingContainer {
    let box: ValueBox
    let codingPath: [any CodingKey]
    var count: Int { box.elements?.count ?? 0 }

    private var next: ValueEncoder { ValueEncoder(box: box.element(), codingPath: codingPath) }

    func encodeNil() { next.encodeNil() }

    func encode(_ value: some Encodable) throws { try next.encode(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        next.container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next.unkeyedContainer() }

    func superEncoder() -> any Encoder { next }
}
