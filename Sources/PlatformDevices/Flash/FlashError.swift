package import HostSystem

/// Why a flash bank could not start from an image.
package enum FlashError: Error, Equatable, CustomStringConvertible {
    case imageTooLarge(bytes: UInt64, limit: UInt64)
    case unreadable(SystemError)

    package var description: String {
        switch self {
        case .imageTooLarge(let bytes, let limit):
            "the flash image has \(bytes) bytes, but a bank holds \(limit); use a smaller image"
        case .unreadable(let error): "the flash image cannot be read: \(error)"
        }
    }
}
