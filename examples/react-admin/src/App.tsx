import { createRoot } from "react-dom/client";
import {
  Admin, Create, Datagrid, DateField, DateInput, Edit, List, NumberInput, ReferenceField, ReferenceInput, Resource,
  SearchInput, SelectField, SelectInput, SimpleForm, TextField, TextInput,
} from "react-admin";
import { authProvider } from "./authProvider";
import { dataProvider } from "./dataProvider";

const choices = (...ids: string[]) => ids.map((id) => ({ id, name: id.replace("_", " ") }));
const statuses = choices("pending", "in_progress", "done");
const priorities = choices("low", "medium", "high");
const filters = [
  <SearchInput key="search" source="search" alwaysOn />,
  <SelectInput key="status" source="status" choices={statuses} alwaysOn />,
];

const Tasks = () => (
  <List filters={filters} sort={{ field: "createdAt", order: "DESC" }}>
    <Datagrid rowClick="edit">
      <TextField source="title" />
      <SelectField source="status" choices={statuses} sortable={false} />
      <SelectField source="priority" choices={priorities} />
      <DateField source="dueDate" />
      <ReferenceField source="assigneeId" reference="users" sortable={false} />
    </Datagrid>
  </List>
);

const TaskForm = () => (
  <SimpleForm>
    <TextInput source="title" />
    <SelectInput source="status" choices={statuses} defaultValue="pending" />
    <SelectInput source="priority" choices={priorities} defaultValue="medium" />
    <DateInput source="dueDate" parse={(value) => value || null} />
    <NumberInput source="progress" defaultValue={0} />
    <ReferenceInput source="assigneeId" reference="users" perPage={100} />
  </SimpleForm>
);

const Users = () => (
  <List filters={[<SearchInput key="search" source="search" alwaysOn />]} sort={{ field: "name", order: "ASC" }}>
    <Datagrid rowClick={false}>
      <TextField source="name" />
      <TextField source="email" />
      <TextField source="roleLabel" sortable={false} />
    </Datagrid>
  </List>
);

const App = () => (
  <Admin dataProvider={dataProvider} authProvider={authProvider} requireAuth>
    <Resource
      name="tasks"
      list={Tasks}
      edit={<Edit mutationMode="pessimistic"><TaskForm /></Edit>}
      create={<Create redirect="list"><TaskForm /></Create>}
    />
    <Resource name="users" list={Users} recordRepresentation="name" />
  </Admin>
);

createRoot(document.getElementById("root")!).render(<App />);
