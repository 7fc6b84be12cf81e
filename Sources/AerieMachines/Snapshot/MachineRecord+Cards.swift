internal import Aerie
package import ControlAPI

extension MachineRecord {
    /// Gives a copied machine's network cards MAC addresses of its own, which depend on its ID and stay the same at each start.
    ///
    /// - Parameter keepsChosen: whether addresses that the user has given (`mac=`) stay.
    package mutating func renewCardAddresses(keepsChosen: Bool) {
        for index in configuration.networkCards.indices
        where !keepsChosen || !configuration.networkCards[index].hasChosenAddress {
            configuration.networkCards[index].macAddress = NetworkCard.copyAddress(machine: id, index: index)
        }
    }
}
