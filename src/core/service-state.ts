export type ServiceState = { name: "pending" };
